#include <gtest/gtest.h>

#include <fstream>

#include "foreign/caffe_files.hpp"
#include "foreign/convoy_metadata.hpp"
#include "foreign/foreign_model.hpp"
#include "foreign/imagenet_classes.hpp"
#include "foreign/safetensors.hpp"
#include "foreign/sample_tensors.hpp"
#include "model/networks.hpp"
#include "model/parameter_table.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

class ForeignModelTest : public testing::Test {
 protected:
  std::filesystem::path safetensors(const std::vector<NamedTensor>& tensors,
                                    const SafetensorsMetadata& metadata = {}) const {
    write_safetensors(folder_ / "net.safetensors", tensors, metadata);
    return folder_ / "net.safetensors";
  }

  // The network's tensors as layers of version 2, `other` layers before them.
  std::filesystem::path caffemodel(const std::vector<NamedTensor>& tensors, const std::string& name,
                                   const std::vector<caffe::Layer>& other = {}) const {
    std::ofstream file(folder_ / "net.caffemodel", std::ios::binary);
    file << network_field(name);
    for (const caffe::Layer& layer : other) file << layer_field(layer);
    const LayerNames names = own_names();
    for (std::size_t i = 0; i < names.size(); ++i)
      file << layer_field(weighted_layer(names[i], i < 5 ? "Convolution" : "InnerProduct", tensors[2 * i],
                                         tensors[2 * i + 1]));
    return folder_ / "net.caffemodel";
  }

  TemporaryFolder folder_;
};

const std::vector<NamedTensor> mini = tensors_of(make_network("alexnet-mini"), torchvision_names());

ForeignOptions with_input(const InputChanges& changes) {
  ForeignOptions options;
  options.input = changes;
  return options;
}

TEST_F(ForeignModelTest, ValuesReachTheirParameters) {
  const ForeignModel model = read_foreign_model(safetensors(mini));
  EXPECT_EQ(model.format, ForeignFormat::safetensors);
  EXPECT_EQ(model.network.name, "alexnet-mini");
  EXPECT_TRUE(model.alike.empty());
  const ParameterTable table(model.network);
  for (std::size_t i = 0; i < mini.size(); ++i) {
    const Parameter& parameter =
        table.find(own_names()[i / 2], i % 2 == 0 ? ParameterKind::weight : ParameterKind::bias);
    const auto begin = model.parameters.begin() + static_cast<std::ptrdiff_t>(parameter.offset);
    EXPECT_TRUE(std::equal(mini[i].values.begin(), mini[i].values.end(), begin)) << parameter.path();
  }
}

TEST_F(ForeignModelTest, ImagesArePreparedAsTorchvisionDoes) {
  const ForeignModel model = read_foreign_model(safetensors(mini));
  const InputSpec& input = model.input.spec;
  EXPECT_EQ(model.input.fit, Fit::cut);
  EXPECT_EQ(input.stored_side, 72);
  EXPECT_EQ(input.crop_side, 64);
  const std::vector<double> mean = {0.485, 0.456, 0.406}, deviation = {0.229, 0.224, 0.225};
  ASSERT_EQ(input.mean.size(), 3U);
  for (std::size_t c = 0; c < 3; ++c) {
    // torchvision: (200 / 255 − mean) / deviation. Both factors are rounded to float32.
    const double theirs = (200 / 255.0 - mean[c]) / deviation[c];
    EXPECT_NEAR((200 - input.mean[c]) * input.scale[c], theirs, 1e-6);
  }
}

TEST_F(ForeignModelTest, NumbersOfTheUser) {
  const std::filesystem::path file = safetensors(mini);
  const auto input = [&](const InputChanges& changes) {
    return read_foreign_model(file, with_input(changes)).input;
  };
  // Pixels of 0…1, unless a number is above 1.
  ForeignInput changed = input({.mean = Channels{0.5, 0.25, 0}, .deviation = Channels{0.5, 1, 0.25}});
  EXPECT_EQ(changed.spec.mean, (std::vector<float>{127.5F, 63.75F, 0}));
  EXPECT_FLOAT_EQ(changed.spec.scale[0], 1 / 127.5F);
  EXPECT_FLOAT_EQ(changed.spec.scale[1], 1 / 255.0F);
  changed = input({.mean = Channels{123, 117, 104}, .deviation = Channels{1, 1, 1}});
  EXPECT_EQ(changed.spec.mean, (std::vector<float>{123, 117, 104}));
  EXPECT_EQ(changed.spec.scale[2], 1);
  changed = input({.mean = Channels{0.5, 0.5, 0.5}, .scale = Channels{0.25, 0.25, 0.25}});
  EXPECT_EQ(changed.spec.mean[0], 0.5F);
  EXPECT_EQ(changed.spec.scale[0], 0.25F);
  changed = input({.stored_side = 80, .fit = Fit::pad});
  EXPECT_EQ(changed.spec.stored_side, 80);
  EXPECT_EQ(changed.fit, Fit::pad);
  expect_error(ExitCode::usage, {"--deviation and --scale"}, [&] {
    input({.deviation = Channels{1, 1, 1}, .scale = Channels{1, 1, 1}});
  });
  expect_error(ExitCode::usage, {"--resize 63", "64 × 64"}, [&] { input({.stored_side = 63}); });
  expect_error(ExitCode::usage, {"alexnet-mini accepts only 64×64"}, [&] { input({.crop_side = 60}); });
}

TEST_F(ForeignModelTest, CaffesImagesAndChannels) {
  caffe::Layer data;
  data.set_name("data");
  data.set_type("Data");
  data.mutable_transformation()->set_scale(0.5F);
  for (const float value : {10.0F, 20.0F, 30.0F}) data.mutable_transformation()->add_mean_value(value);
  const std::vector<NamedTensor> tensors = tensors_of(make_network("alexnet-mini"), own_names());
  const ForeignModel model = read_foreign_model(caffemodel(tensors, "mini", {data}));
  EXPECT_EQ(model.format, ForeignFormat::caffemodel);
  EXPECT_EQ(model.input.fit, Fit::warp);
  EXPECT_EQ(model.input.spec.mean, (std::vector<float>{30, 20, 10}));
  EXPECT_EQ(model.input.spec.scale[0], 0.5F);
  EXPECT_TRUE(model.notes.empty());
  const Parameter conv1 = ParameterTable(model.network).find("conv1", ParameterKind::weight);
  const std::size_t plane = 25;
  for (std::size_t filter = 0; filter < 48; ++filter)
    for (std::size_t channel = 0; channel < 3; ++channel)
      EXPECT_EQ(model.parameters[conv1.offset + (3 * filter + channel) * plane],
                tensors[0].values[(3 * filter + 2 - channel) * plane]);
  const Parameter conv2 = ParameterTable(model.network).find("conv2", ParameterKind::weight);
  EXPECT_EQ(model.parameters[conv2.offset + 1], tensors[2].values[1]);
}

TEST_F(ForeignModelTest, WhatCaffeSaysThatTheNetworkDoesNotDoIsTold) {
  const auto layer = [](const std::string& type) {
    caffe::Layer result;
    result.set_name(type);
    result.set_type(type);
    return result;
  };
  caffe::Layer data = layer("Data");
  data.mutable_transformation()->set_crop_size(60);
  const std::vector<NamedTensor> tensors = tensors_of(make_network("alexnet-mini"), own_names());
  const ForeignModel model = read_foreign_model(caffemodel(tensors, "mini", {data, layer("Pooling")}),
                                                with_input({.mean = Channels{104, 117, 123}}));
  ASSERT_EQ(model.notes.size(), 3U);
  EXPECT_NE(model.notes[0].find("begin with blue"), std::string::npos);
  EXPECT_NE(model.notes[1].find("60 × 60 pixels, alexnet-mini takes 64 × 64"), std::string::npos);
  EXPECT_NE(model.notes[2].find("pooling and normalisation"), std::string::npos);
}

TEST_F(ForeignModelTest, CaffesMeanImage) {
  const std::vector<NamedTensor> tensors = tensors_of(make_network("alexnet-mini"), own_names());
  caffe::Layer data;
  data.set_name("data");
  data.set_type("Data");
  data.mutable_transformation()->set_mean_file("train_mean.binaryproto");
  const std::filesystem::path file = caffemodel(tensors, "mini", {data});
  const ForeignModel without = read_foreign_model(file);
  EXPECT_EQ(without.input.spec.mean, (std::vector<float>{122.6789143F, 116.6687676F, 104.0069879F}));
  ASSERT_EQ(without.notes.size(), 1U);
  EXPECT_NE(without.notes[0].find("train_mean.binaryproto"), std::string::npos);

  NamedTensor image{"", {1, 3, 72, 72}, std::vector<float>(std::size_t{3} * 72 * 72, 1)};
  image.values.back() = 5;  // red, the last row and column
  const std::filesystem::path mean = folder_ / "mean.binaryproto";
  std::ofstream(mean, std::ios::binary) << blob_of(image, true).SerializeAsString();
  const ForeignModel model = read_foreign_model(file, with_input({.mean_file = mean}));
  ASSERT_EQ(model.input.spec.mean.size(), std::size_t{3} * 72 * 72);
  EXPECT_EQ(model.input.spec.mean[72 * 72 - 1], 5);
  EXPECT_TRUE(model.notes.empty());
  expect_error(ExitCode::usage, {"72 × 72", "80 × 80", "--resize 72"},
               [&] { read_foreign_model(file, with_input({.mean_file = mean, .stored_side = 80})); });
}

TEST_F(ForeignModelTest, TensorsThatTheNetworkDoesNotHave) {
  std::vector<NamedTensor> tensors = mini;
  tensors.push_back({"auxiliary.weight", {2, 3}, std::vector<float>(6)});
  const std::filesystem::path file = safetensors(tensors);
  expect_error(ExitCode::usage, {"alexnet-mini does not have", "auxiliary.weight (2 × 3)", "--ignore-extra"},
               [&] { read_foreign_model(file); });
  ForeignOptions options;
  options.ignore_extra = true;
  const ForeignModel model = read_foreign_model(file, options);
  ASSERT_EQ(model.notes.size(), 1U);
  EXPECT_NE(model.notes[0].find("auxiliary.weight (2 × 3)"), std::string::npos);
}

TEST_F(ForeignModelTest, WhatFitsNothing) {
  std::vector<NamedTensor> tensors = mini;
  tensors.erase(tensors.begin() + 2);
  expect_error(ExitCode::bad_data,
               {"fit none of the networks", "the nearest: alexnet-mini needs conv2/weight"},
               [&] { read_foreign_model(safetensors(tensors)); });
  tensors = mini;
  tensors[5].values[1] = std::numeric_limits<float>::infinity();
  expect_error(ExitCode::bad_data, {"features.6.bias has values that are not finite"},
               [&] { read_foreign_model(safetensors(tensors)); });
}

TEST_F(ForeignModelTest, WhatConvoyExportedComesBack) {
  ConvoyMetadata content{.model = "alexnet-mini", .classes = {}, .input = ForeignInput{}};
  for (int i = 0; i < 10; ++i) content.classes.push_back({"id" + std::to_string(i), "Klasse №"});
  content.input->spec = {.stored_side = 70, .crop_side = 64, .mean = {1.5F, 2, 0.1F}, .scale = {0.1F, 2, 3}};
  content.input->fit = Fit::pad;
  const ForeignModel model = read_foreign_model(safetensors(mini, to_metadata(content)));
  EXPECT_EQ(model.classes, content.classes);
  EXPECT_EQ(model.input.fit, Fit::pad);
  EXPECT_EQ(model.input.spec.stored_side, 70);
  EXPECT_EQ(model.input.spec.mean, content.input->spec.mean);
  EXPECT_EQ(model.input.spec.scale[0], 0.1F);
}

TEST_F(ForeignModelTest, MetadataOfOtherProgramsIsLeftOut) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& text :
       {std::string("mine"), std::string("{}"), std::string("[1]"), deep,
        std::string(R"([{"id":"a\u0000","name":"b"}])"),
        std::string(R"({"stored_side":-1,"crop_side":1,"mean":[1,2,3],"scale":[1,1,1]})"),
        std::string(R"({"stored_side":9,"crop_side":9,"mean":[1],"scale":[1,1,1]})")}) {
    const SafetensorsMetadata metadata{{"model", "gpt"}, {"classes", text}, {"input", text}, {"fit", "cut"}};
    const ConvoyMetadata content = parse_metadata(metadata);
    EXPECT_TRUE(content.classes.empty()) << text.substr(0, 40);
    EXPECT_FALSE(content.input) << text.substr(0, 40);
    const ForeignModel model = read_foreign_model(safetensors(mini, metadata));
    EXPECT_EQ(model.classes.at(9).name, "class 9");
    EXPECT_EQ(model.input.spec.stored_side, 72);
  }
}

TEST(ImagenetClasses, AreAThousandInOrderOfTheirSynsets) {
  const std::vector<ClassEntry> classes = imagenet_classes();
  ASSERT_EQ(classes.size(), 1000U);
  EXPECT_EQ(classes.front(), (ClassEntry{"n01440764", "tench, Tinca tinca"}));
  EXPECT_EQ(classes.at(281), (ClassEntry{"n02123045", "tabby, tabby cat"}));
  EXPECT_EQ(classes.at(517), (ClassEntry{"n03126707", "crane"}));
  EXPECT_EQ(classes.back(), (ClassEntry{"n15075141", "toilet tissue, toilet paper, bathroom tissue"}));
  for (std::size_t i = 0; i < classes.size(); ++i) {
    EXPECT_EQ(classes[i].id.size(), 9U);
    EXPECT_FALSE(classes[i].name.empty());
    if (i > 0) {
      EXPECT_LT(classes[i - 1].id, classes[i].id);
    }
  }
}

}  // namespace
}  // namespace convoy::test
