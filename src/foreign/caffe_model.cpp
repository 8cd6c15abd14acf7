#include "foreign/caffe_model.hpp"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "base/words.hpp"
#include "caffe.pb.h"
#include "foreign/foreign_error.hpp"
#include "foreign/shape_text.hpp"
#include "foreign/tensor_list.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using google::protobuf::io::CodedInputStream;

// Numbers of the fields of Caffe's NetParameter.
constexpr std::uint32_t network_name = 1, layers_version1 = 2, layers = 100;
// A message of protobuf is smaller.
constexpr std::uint64_t largest_message = 0x7FFFFFFF;
// Of a tag and a length.
constexpr std::size_t longest_head = 15;

// How the value of a field is stored.
enum class Wire : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

// One field of the outermost message: where its value is.
struct Field {
  std::uint32_t number = 0;
  Wire wire = Wire::bytes;
  std::uint64_t begin = 0, value = 0, end = 0;  // offsets in the file
};

// The field that begins at the start of `head`; nothing if these bytes begin none.
std::optional<Field> parse_field(std::span<const std::byte> head, std::uint64_t offset) {
  CodedInputStream input(reinterpret_cast<const std::uint8_t*>(head.data()), static_cast<int>(head.size()));
  const std::uint32_t tag = input.ReadTag();
  if (tag >> 3 == 0) return std::nullopt;
  Field field{.number = tag >> 3, .wire = static_cast<Wire>(tag & 7), .begin = offset};
  std::uint64_t number = 0;
  switch (field.wire) {
    case Wire::varint:
      if (!input.ReadVarint64(&number)) return std::nullopt;
      number = 0;
      break;
    case Wire::fixed64:
      number = 8;
      break;
    case Wire::bytes:
      if (!input.ReadVarint64(&number) || number > largest_message) return std::nullopt;
      break;
    case Wire::fixed32:
      number = 4;
      break;
    default:
      return std::nullopt;
  }
  field.value = offset + static_cast<std::uint64_t>(input.CurrentPosition());
  field.end = field.value + number;
  return field;
}

// Reads the fields of the outermost message one after the other, so that memory holds one layer at a time.
class FieldReader {
 public:
  explicit FieldReader(const fs::path& path)
      : path_(path), file_(open_regular_file(path)), bytes_(file_.size()) {}

  std::optional<Field> next() {
    if (offset_ == bytes_) return std::nullopt;
    std::array<std::byte, longest_head> head{};
    const std::size_t read = file_.read_at(offset_, head);
    const auto field = parse_field(std::span(head).first(read), offset_);
    if (!field) refuse(fmt::format("byte {} begins no field: it is damaged or no file of Caffe", offset_));
    if (field->end > bytes_)
      refuse(fmt::format("it is cut off: what begins at byte {} needs {} bytes, {} are left", field->begin,
                         field->end - field->value, bytes_ - std::min(bytes_, field->value)));
    offset_ = field->end;
    return field;
  }

  std::string text(const Field& field) const { return file_.read_part(field.value, field.end - field.value); }

  template <typename Message>
  Message parse(const Field& field) const {
    Message message;
    if (field.wire != Wire::bytes || !message.ParseFromString(text(field)))
      refuse(fmt::format("the layer at byte {} is damaged", field.begin));
    return message;
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    fail(ExitCode::bad_data, "{}: {}", path_.string(), reason);
  }

 private:
  fs::path path_;
  FileDescriptor file_;
  std::uint64_t bytes_, offset_ = 0;
};

CaffeLayerKind kind_of(std::string_view type) {
  static const Words<CaffeLayerKind> types = {{"Convolution", CaffeLayerKind::convolution},
                                              {"conv", CaffeLayerKind::convolution},
                                              {"InnerProduct", CaffeLayerKind::inner_product},
                                              {"innerproduct", CaffeLayerKind::inner_product},
                                              {"Pooling", CaffeLayerKind::pooling},
                                              {"pool", CaffeLayerKind::pooling},
                                              {"LRN", CaffeLayerKind::normalisation},
                                              {"lrn", CaffeLayerKind::normalisation},
                                              {"Data", CaffeLayerKind::data},
                                              {"data", CaffeLayerKind::data},
                                              {"ImageData", CaffeLayerKind::data},
                                              {"images", CaffeLayerKind::data},
                                              {"WindowData", CaffeLayerKind::data},
                                              {"window_data", CaffeLayerKind::data}};
  return value_of(types, type).value_or(CaffeLayerKind::other);
}

// The numbers of Caffe's V1LayerParameter.LayerType.
CaffeLayerKind kind_of(int type) {
  switch (type) {
    case 4:
      return CaffeLayerKind::convolution;
    case 5:   // DATA
    case 12:  // IMAGE_DATA
    case 24:  // WINDOW_DATA
      return CaffeLayerKind::data;
    case 14:
      return CaffeLayerKind::inner_product;
    case 15:
      return CaffeLayerKind::normalisation;
    case 17:
      return CaffeLayerKind::pooling;
    default:
      return CaffeLayerKind::other;
  }
}

// The shape that the file states: `shape`, or four sizes in old files.
std::vector<std::int64_t> stated_shape(const caffe::Blob& blob) {
  if (blob.has_shape()) return {blob.shape().dim().begin(), blob.shape().dim().end()};
  return {blob.num(), blob.channels(), blob.height(), blob.width()};
}

// Whether a shape has as many values as there are.
bool holds(const std::vector<std::int64_t>& shape, std::size_t values) {
  return element_count(shape) == std::optional<std::uint64_t>(values);
}

NamedTensor tensor_of(const FieldReader& file, const caffe::Blob& blob, std::string name) {
  NamedTensor tensor{.name = std::move(name), .shape = stated_shape(blob), .values = {}};
  if (blob.data_size() > 0) {
    tensor.values.assign(blob.data().begin(), blob.data().end());
  } else {
    tensor.values.assign(blob.double_data().begin(), blob.double_data().end());
    if (blob.double_data_size() > 0) tensor.type = "float64";
  }
  if (!holds(tensor.shape, tensor.values.size()))
    file.refuse(fmt::format("{} is said to be {}, but has {} values", readable(tensor.name),
                            shape_text(tensor.shape), tensor.values.size()));
  return tensor;
}

// Old files give every blob four dimensions: of a bias the last counts, of an inner product the last two.
void drop_leading_ones(NamedTensor& tensor, std::size_t dimensions) {
  while (tensor.shape.size() > dimensions && tensor.shape.front() == 1)
    tensor.shape.erase(tensor.shape.begin());
}

template <typename Blobs>
void take_blobs(const FieldReader& file, const CaffeLayer& layer, Blobs& blobs, CaffeModel& model) {
  const bool has_weight =
      layer.kind == CaffeLayerKind::convolution || layer.kind == CaffeLayerKind::inner_product;
  for (int i = 0; i < blobs.size(); ++i) {
    const std::string part = !has_weight || i > 1 ? std::to_string(i) : i == 0 ? "weight" : "bias";
    NamedTensor tensor = tensor_of(file, blobs[i], layer.name + "." + part);
    blobs[i].Clear();  // memory holds each tensor once
    if (has_weight && i == 1) drop_leading_ones(tensor, 1);
    if (layer.kind == CaffeLayerKind::inner_product && i == 0) drop_leading_ones(tensor, 2);
    model.tensors.push_back(std::move(tensor));
  }
}

// Of the data layers, the last one that states something: that of the test phase follows that of training.
template <typename Source>
void take_scale_and_crop(const Source& source, CaffeInput& input) {
  if (source.has_scale()) input.scale = source.scale();
  if (source.has_crop_size()) input.crop_side = static_cast<int>(std::min(source.crop_size(), 0x7FFFFFFFU));
  if (source.has_mean_file()) input.mean_file = source.mean_file();
}

void take_transformation(const FieldReader& file, const caffe::Transformation& transformation,
                         CaffeInput& input) {
  take_scale_and_crop(transformation, input);
  if (transformation.mean_value_size() == 0) return;
  input.mean.assign(transformation.mean_value().begin(), transformation.mean_value().end());
  if (input.mean.size() != 1 && input.mean.size() != 3)
    file.refuse(
        fmt::format("its data layer subtracts {} mean values; images have 3 channels", input.mean.size()));
}

void take_layer(const FieldReader& file, caffe::Layer layer, CaffeModel& model) {
  model.layers.push_back({layer.name(), kind_of(layer.type()), layer.normalisation().k()});
  if (model.layers.back().kind == CaffeLayerKind::data)
    take_transformation(file, layer.transformation(), model.input);
  take_blobs(file, model.layers.back(), *layer.mutable_blobs(), model);
}

void take_layer(const FieldReader& file, caffe::LayerVersion1 layer, CaffeModel& model) {
  if (layer.has_layer()) {
    caffe::LayerVersion0& old = *layer.mutable_layer();
    model.layers.push_back({old.name(), kind_of(old.type()), old.k()});
    if (model.layers.back().kind == CaffeLayerKind::data) take_scale_and_crop(old, model.input);
    take_blobs(file, model.layers.back(), *old.mutable_blobs(), model);
    // Weights may stand beside the old description.
    take_blobs(file, model.layers.back(), *layer.mutable_blobs(), model);
    return;
  }
  model.layers.push_back({layer.name(), kind_of(layer.type()), layer.normalisation().k()});
  if (model.layers.back().kind == CaffeLayerKind::data) {
    take_scale_and_crop(layer.source(), model.input);
    take_transformation(file, layer.transformation(), model.input);
  }
  take_blobs(file, model.layers.back(), *layer.mutable_blobs(), model);
}

// A short text in printable ASCII, as networks are named.
bool is_name(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char letter) { return letter >= ' ' && letter <= '~'; });
}

// A network's name, and a layer or an input after it. Few other files begin so.
bool begins_like_network(const FileDescriptor& file) {
  std::array<std::byte, 512> bytes{};
  const std::span<const std::byte> head = std::span(bytes).first(file.read_at(0, bytes));
  const auto name = parse_field(head, 0);
  if (!name || name->number != network_name || name->wire != Wire::bytes || name->end >= head.size())
    return false;
  if (!is_name({reinterpret_cast<const char*>(head.data()) + name->value, name->end - name->value}))
    return false;
  const auto next = parse_field(head.subspan(name->end), name->end);
  constexpr std::uint32_t input = 3, input_shape = 8;
  return next && next->wire == Wire::bytes &&
         (next->number == layers || next->number == layers_version1 || next->number == input ||
          next->number == input_shape);
}

}  // namespace

bool is_caffemodel(const fs::path& path) {
  if (path.extension() == ".caffemodel") return true;
  const FileDescriptor file = try_open(path, O_RDONLY | O_NONBLOCK);
  std::error_code error;
  return file.is_open() && fs::is_regular_file(path, error) && begins_like_network(file);
}

CaffeModel read_caffemodel(const fs::path& path) {
  FieldReader file(path);
  CaffeModel model;
  while (const std::optional<Field> field = file.next()) {
    if (field->number == network_name && field->wire == Wire::bytes) model.name = file.text(*field);
    if (field->number == layers) take_layer(file, file.parse<caffe::Layer>(*field), model);
    if (field->number == layers_version1) take_layer(file, file.parse<caffe::LayerVersion1>(*field), model);
  }
  if (model.layers.empty()) file.refuse("holds no layer: it is empty or no file of Caffe");
  if (model.tensors.empty())
    file.refuse("its layers have no weights: it describes a network, the weights are in another file");
  return model;
}

CaffeMean read_mean_binaryproto(const fs::path& path) {
  const auto refuse = [&](const std::string& reason) {
    fail(ExitCode::bad_data, "{}: {}", path.string(), reason);
  };
  const FileDescriptor file = open_regular_file(path);
  if (file.size() > largest_message) refuse("is too large for a mean image");
  caffe::Blob blob;
  if (!blob.ParseFromString(file.read_part(0, file.size())))
    refuse("is no mean image of Caffe (mean.binaryproto), or is damaged");
  std::vector<std::int64_t> shape = stated_shape(blob);
  if (shape.size() == 4 && shape[0] == 1) shape.erase(shape.begin());
  if (shape.size() != 3 || shape[0] != 3 || shape[1] != shape[2] || shape[1] < 1)
    refuse(fmt::format("is {}, not a mean image of 3 channels and equal sides", shape_text(shape)));
  std::vector<float> values(blob.data().begin(), blob.data().end());
  if (values.empty()) values.assign(blob.double_data().begin(), blob.double_data().end());
  if (!holds(shape, values.size()))
    refuse(fmt::format("is said to be {}, but has {} values", shape_text(shape), values.size()));
  const auto plane = static_cast<std::ptrdiff_t>(values.size() / 3);
  std::swap_ranges(values.begin(), values.begin() + plane, values.end() - plane);  // blue and red
  return {.side = static_cast<int>(shape[1]), .values = std::move(values)};
}

}  // namespace convoy
