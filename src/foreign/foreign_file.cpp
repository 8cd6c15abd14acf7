#include "foreign/foreign_file.hpp"

#include "base/error.hpp"
#include "foreign/caffe_model.hpp"
#include "foreign/safetensors.hpp"
#include "foreign/torch_file.hpp"

namespace convoy {

std::optional<ForeignFormat> foreign_format(const std::filesystem::path& path) {
  if (is_torch_zip(path)) return ForeignFormat::pytorch;
  if (is_old_torch_file(path) || is_torch_tar(path)) return ForeignFormat::pytorch_old;
  if (is_safetensors(path)) return ForeignFormat::safetensors;
  if (is_caffemodel(path)) return ForeignFormat::caffemodel;
  return std::nullopt;
}

std::string_view name_of(ForeignFormat format) {
  switch (format) {
    case ForeignFormat::pytorch:
      return "PyTorch";
    case ForeignFormat::pytorch_old:
      return "PyTorch (before 1.6)";
    case ForeignFormat::caffemodel:
      return "Caffe";
    case ForeignFormat::safetensors:
      break;
  }
  return "safetensors";
}

std::vector<NamedTensor> read_foreign(const std::filesystem::path& path) {
  const auto format = foreign_format(path);
  if (!format)
    fail(ExitCode::bad_data,
         "{} is neither a PyTorch file (.pth), nor safetensors, nor a Caffe model (.caffemodel)",
         path.string());
  switch (*format) {
    case ForeignFormat::pytorch:
      return read_torch_zip(path);
    case ForeignFormat::pytorch_old:
      return is_torch_tar(path) ? read_torch_tar(path) : read_old_torch_file(path);
    case ForeignFormat::caffemodel:
      return read_caffemodel(path).tensors;
    case ForeignFormat::safetensors:
      break;
  }
  return read_safetensors(path).tensors;
}

}  // namespace convoy
