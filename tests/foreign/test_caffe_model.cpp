#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "foreign/caffe_files.hpp"
#include "foreign/caffe_model.hpp"
#include "foreign/foreign_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using namespace std::string_literals;

NamedTensor counting(std::vector<std::int64_t> shape) {
  NamedTensor tensor{"", shape, {}};
  tensor.values.resize(static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>())));
  std::iota(tensor.values.begin(), tensor.values.end(), 0.5F);
  return tensor;
}

class CaffeModelTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& bytes, const std::string& name = "net.caffemodel") const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }

  void expect_refusal(const std::string& bytes, const std::string& reason) const {
    const std::filesystem::path path = file(bytes);
    expect_error(ExitCode::bad_data, {path.string(), reason}, [&] { read_caffemodel(path); });
  }

  TemporaryFolder folder_;
};

void expect_tensor(const NamedTensor& tensor, const std::string& name, const NamedTensor& expected) {
  EXPECT_EQ(tensor.name, name);
  EXPECT_EQ(tensor.shape, expected.shape);
  EXPECT_EQ(tensor.values, expected.values);
}

const NamedTensor filters = counting({2, 3, 2, 2}), filter_bias = counting({2});
const NamedTensor matrix = counting({4, 8}), matrix_bias = counting({4});

void expect_small_network(const CaffeModel& model) {
  EXPECT_EQ(model.name, "small");
  ASSERT_EQ(model.layers.size(), 4U);
  EXPECT_EQ(model.layers[0].kind, CaffeLayerKind::data);
  EXPECT_EQ(model.layers[1].kind, CaffeLayerKind::convolution);
  EXPECT_EQ(model.layers[2].kind, CaffeLayerKind::normalisation);
  EXPECT_EQ(model.layers[2].k, 2.0F);
  EXPECT_EQ(model.layers[3].kind, CaffeLayerKind::inner_product);
  ASSERT_EQ(model.tensors.size(), 4U);
  expect_tensor(model.tensors[0], "conv1.weight", filters);
  expect_tensor(model.tensors[1], "conv1.bias", filter_bias);
  expect_tensor(model.tensors[2], "fc2.weight", matrix);
  expect_tensor(model.tensors[3], "fc2.bias", matrix_bias);
  EXPECT_EQ(model.input.scale, 0.25);
  EXPECT_EQ(model.input.crop_side, 227);
  EXPECT_EQ(model.input.mean_file, "mean.binaryproto");
}

TEST_F(CaffeModelTest, Version2) {
  caffe::Layer data, norm;
  data.set_name("data");
  data.set_type("Data");
  data.mutable_transformation()->set_scale(0.25F);
  data.mutable_transformation()->set_crop_size(227);
  data.mutable_transformation()->set_mean_file("mean.binaryproto");
  norm.set_name("norm1");
  norm.set_type("LRN");
  norm.mutable_normalisation()->set_k(2);
  expect_small_network(read_caffemodel(
      file(network_field("small") + layer_field(data) +
           layer_field(weighted_layer("conv1", "Convolution", filters, filter_bias)) + layer_field(norm) +
           layer_field(weighted_layer("fc2", "InnerProduct", matrix, matrix_bias)))));
}

TEST_F(CaffeModelTest, Version1WithFourSizes) {
  const auto layer = [](const std::string& name, int type) {
    caffe::LayerVersion1 result;
    result.set_name(name);
    result.set_type(type);
    return result;
  };
  caffe::LayerVersion1 data = layer("data", 5), convolution = layer("conv1", 4), norm = layer("norm1", 15),
                       product = layer("fc2", 14);
  data.mutable_source()->set_scale(0.25F);
  data.mutable_source()->set_crop_size(227);
  data.mutable_source()->set_mean_file("mean.binaryproto");
  norm.mutable_normalisation()->set_k(2);
  *convolution.add_blobs() = blob_of(filters, true);
  *convolution.add_blobs() = blob_of(filter_bias, true);
  *product.add_blobs() = blob_of(matrix, true);
  *product.add_blobs() = blob_of(matrix_bias, true);
  expect_small_network(
      read_caffemodel(file(network_field("small") + layer_field(data) + layer_field(convolution) +
                           layer_field(norm) + layer_field(product))));
}

TEST_F(CaffeModelTest, Version0) {
  const auto layer = [](const std::string& name, const std::string& type) {
    caffe::LayerVersion1 result;
    result.mutable_layer()->set_name(name);
    result.mutable_layer()->set_type(type);
    return result;
  };
  caffe::LayerVersion1 data = layer("data", "data"), convolution = layer("conv1", "conv"),
                       norm = layer("norm1", "lrn"), product = layer("fc2", "innerproduct");
  data.mutable_layer()->set_scale(0.25F);
  data.mutable_layer()->set_crop_size(227);
  data.mutable_layer()->set_mean_file("mean.binaryproto");
  norm.mutable_layer()->set_k(2);
  *convolution.mutable_layer()->add_blobs() = blob_of(filters, true);
  *convolution.mutable_layer()->add_blobs() = blob_of(filter_bias, true);
  *product.mutable_layer()->add_blobs() = blob_of(matrix, true);
  *product.mutable_layer()->add_blobs() = blob_of(matrix_bias, true);
  expect_small_network(
      read_caffemodel(file(network_field("small") + layer_field(data) + layer_field(convolution) +
                           layer_field(norm) + layer_field(product))));
}

// A convolution "c" of one filter 1 × 1 over three channels, written by hand: unknown fields in between, the
// weights packed, the bias one by one and the gradients (diff) beside them.
TEST_F(CaffeModelTest, AFileByteByByte) {
  const std::string weight =
      "\x3A\x06\x0A\x04\x01\x03\x01\x01"                            // shape: dim 1, 3, 1, 1
      "\x2A\x0C\x00\x00\x80\x3F\x00\x00\x00\x40\x00\x00\x40\x40"    // data: 1, 2, 3
      "\x32\x0C\x00\x00\x80\x3F\x00\x00\x80\x3F\x00\x00\x80\x3F"s;  // diff
  const std::string bias =
      "\x3A\x03\x0A\x01\x01"    // shape: dim 1
      "\x2D\x00\x00\x00\xBF"s;  // data: −0.5, not packed
  std::string layer =
      "\x0A\x01"
      "c"
      "\x12\x0B"
      "Convolution"
      "\x1A\x04"
      "data";  // name, type, bottom
  for (const std::string& blob : {weight, bias})
    layer.append("\x3A").append(1, static_cast<char>(blob.size())).append(blob);
  std::string bytes =
      "\x0A\x04"
      "hand"
      "\x1A\x04"
      "data"
      "\x28\x01";  // name, input, force_backward
  bytes.append("\xA2\x06").append(1, static_cast<char>(layer.size())).append(layer);
  const CaffeModel model = read_caffemodel(file(bytes));
  EXPECT_EQ(model.name, "hand");
  ASSERT_EQ(model.tensors.size(), 2U);
  EXPECT_EQ(model.tensors[0].name, "c.weight");
  EXPECT_EQ(model.tensors[0].shape, (std::vector<std::int64_t>{1, 3, 1, 1}));
  EXPECT_EQ(model.tensors[0].values, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(model.tensors[1].shape, std::vector<std::int64_t>{1});
  EXPECT_EQ(model.tensors[1].values, std::vector<float>{-0.5F});
  for (std::size_t length = 0; length < bytes.size(); ++length)
    expect_error(ExitCode::bad_data, {"net.caffemodel: "},
                 [&] { read_caffemodel(file(bytes.substr(0, length))); });
}

TEST_F(CaffeModelTest, DoublesAndBlobsOfOtherLayers) {
  caffe::Layer layer;
  layer.set_name("scale1");
  layer.set_type("Scale");
  caffe::Blob& blob = *layer.add_blobs();
  blob.mutable_shape()->add_dim(2);
  blob.add_double_data(0.1);
  blob.add_double_data(-3);
  const CaffeModel model = read_caffemodel(file(layer_field(layer)));
  ASSERT_EQ(model.tensors.size(), 1U);
  EXPECT_EQ(model.tensors[0].name, "scale1.0");
  EXPECT_EQ(model.tensors[0].type, "float64");
  EXPECT_EQ(model.tensors[0].values, (std::vector<float>{0.1F, -3}));
}

TEST_F(CaffeModelTest, SizesThatLie) {
  const auto with_shape = [](std::vector<std::int64_t> shape) {
    NamedTensor tensor = filters;
    tensor.shape = std::move(shape);
    return layer_field(weighted_layer("conv1", "Convolution", tensor, filter_bias));
  };
  expect_refusal(with_shape({2, 3, 2, 3}), "conv1.weight is said to be 2 × 3 × 2 × 3, but has 24 values");
  expect_refusal(with_shape({-2, 3, -2, 2}), "conv1.weight is said to be -2 × 3 × -2 × 2");
  expect_refusal(with_shape({1LL << 62, 4, 1, 24}), "conv1.weight is said to be");
  expect_refusal(with_shape({}), "conv1.weight is said to be a single number, but has 24 values");
}

TEST_F(CaffeModelTest, WhatIsNoModelIsRefused) {
  const std::string good =
      network_field("n") + layer_field(weighted_layer("conv1", "Convolution", filters, filter_bias));
  expect_refusal("", "holds no layer");
  expect_refusal(good.substr(0, good.size() - 1), "cut off: what begins at byte 3 needs");
  expect_refusal(good + "\x07", "byte " + std::to_string(good.size()) + " begins no field");
  expect_refusal(good + "\xA2\x06\x03\x3A\x7F\x01"s, "the layer at byte");
  expect_refusal(network_field("n"), "holds no layer");
  caffe::Layer plain;
  plain.set_name("relu1");
  plain.set_type("ReLU");
  expect_refusal(layer_field(plain), "its layers have no weights");
  expect_error(ExitCode::io, {"absent.caffemodel"}, [&] { read_caffemodel(folder_ / "absent.caffemodel"); });
}

TEST_F(CaffeModelTest, IsRecognisedByNameOrContent) {
  const std::string content = layer_field(weighted_layer("conv1", "Convolution", filters, filter_bias));
  EXPECT_EQ(foreign_format(file(network_field("AlexNet") + content, "x")), ForeignFormat::caffemodel);
  EXPECT_EQ(foreign_format(file("anything", "x.caffemodel")), ForeignFormat::caffemodel);
  EXPECT_FALSE(is_caffemodel(file("\n", "x")));
  EXPECT_FALSE(is_caffemodel(file("\n\x05text\n and more text\n", "x")));
  EXPECT_FALSE(is_caffemodel(file("\x89HDF\r\n\x1A\n", "x")));
  EXPECT_FALSE(is_caffemodel(folder_ / "absent"));
  EXPECT_FALSE(is_caffemodel(folder_.path()));
}

TEST_F(CaffeModelTest, MeanImage) {
  const NamedTensor blue_first = counting({1, 3, 2, 2});
  const std::string old = blob_of(blue_first, true).SerializeAsString();
  const CaffeMean mean = read_mean_binaryproto(file(old, "mean.binaryproto"));
  EXPECT_EQ(mean.side, 2);
  EXPECT_EQ(mean.values, (std::vector<float>{8.5, 9.5, 10.5, 11.5, 4.5, 5.5, 6.5, 7.5, 0.5, 1.5, 2.5, 3.5}));
  const std::string three = blob_of(counting({3, 2, 2})).SerializeAsString();
  EXPECT_EQ(read_mean_binaryproto(file(three, "mean.binaryproto")).values, mean.values);

  const auto refuse = [&](const std::string& bytes, const std::string& reason) {
    expect_error(ExitCode::bad_data, {"mean.binaryproto", reason},
                 [&] { read_mean_binaryproto(file(bytes, "mean.binaryproto")); });
  };
  refuse(blob_of(counting({1, 3, 2, 4})).SerializeAsString(), "3 × 2 × 4, not a mean image");
  refuse(blob_of(counting({1, 1, 2, 2})).SerializeAsString(), "not a mean image");
  refuse(old.substr(0, old.size() - 1), "damaged");
  refuse("", "not a mean image");
  NamedTensor short_image = blue_first;
  short_image.values.pop_back();
  refuse(blob_of(short_image).SerializeAsString(), "has 11 values");
}

}  // namespace
}  // namespace convoy::test
