#include <fcntl.h>

#include <bit>
#include <limits>
#include <string>

#include "base/atomic_file.hpp"
#include "base/file_descriptor.hpp"
#include "foreign/pickle_opcodes.hpp"
#include "foreign/stored_zip.hpp"
#include "foreign/torch_file.hpp"

namespace convoy {
namespace {

// Where PyTorch's own files have their numbers.
constexpr std::uint64_t alignment = 64;

// A pickle as text, opcode by opcode. Protocol 2, which every version of PyTorch reads; without memo.
class PickleText {
 public:
  PickleText() { op(pickle_opcodes::proto).byte(2); }

  PickleText& op(unsigned char opcode) { return byte(opcode); }

  PickleText& global(std::string_view module, std::string_view name) {
    op(pickle_opcodes::global);
    text_.append(module).append("\n").append(name).append("\n");
    return *this;
  }

  PickleText& text(std::string_view content) {
    op(pickle_opcodes::unicode4).number(content.size(), 4);
    text_ += content;
    return *this;
  }

  PickleText& integer(std::uint64_t value) {
    if (value <= std::numeric_limits<std::int32_t>::max()) return op(pickle_opcodes::int4).number(value, 4);
    return op(pickle_opcodes::long1).byte(8).number(value, 8);
  }

  PickleText& tuple(std::span<const std::int64_t> values) {
    op(pickle_opcodes::mark);
    for (const std::int64_t value : values) integer(static_cast<std::uint64_t>(value));
    return op(pickle_opcodes::tuple);
  }

  PickleText& empty_ordered_dict() {
    return global("collections", "OrderedDict").op(pickle_opcodes::empty_tuple).op(pickle_opcodes::reduce);
  }

  const std::string& finished() { return op(pickle_opcodes::stop).text_; }

 private:
  PickleText& byte(unsigned char value) {
    text_.push_back(static_cast<char>(value));
    return *this;
  }
  PickleText& number(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) byte(static_cast<unsigned char>(value >> (8 * i) & 0xFF));
    return *this;
  }
  std::string text_;
};

std::vector<std::int64_t> contiguous_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0; stride *= shape[i]) strides[i] = stride;
  return strides;
}

// name: _rebuild_tensor_v2(storage `key`, offset 0, shape, strides, requires_grad false, no hooks)
void add_tensor(PickleText& pickle, const NamedTensor& tensor, const std::string& key) {
  using namespace pickle_opcodes;
  pickle.text(tensor.name).global("torch._utils", "_rebuild_tensor_v2").op(mark);
  pickle.op(mark).text("storage").global("torch", "FloatStorage").text(key).text("cpu");
  pickle.integer(tensor.values.size()).op(pickle_opcodes::tuple).op(persistent_id);
  pickle.integer(0).tuple(tensor.shape).tuple(contiguous_strides(tensor.shape)).op(new_false);
  pickle.empty_ordered_dict().op(pickle_opcodes::tuple).op(reduce);
}

std::string state_dict_pickle(std::span<const NamedTensor> tensors) {
  PickleText pickle;
  pickle.empty_ordered_dict().op(pickle_opcodes::mark);
  for (std::size_t i = 0; i < tensors.size(); ++i) add_tensor(pickle, tensors[i], std::to_string(i));
  return pickle.op(pickle_opcodes::set_items).finished();
}

std::span<const std::byte> bytes_of_text(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

void write_torch_zip(const std::filesystem::path& path, std::span<const NamedTensor> tensors) {
  static_assert(std::endian::native == std::endian::little, "the file says so");
  PartialFile partial(path);
  const FileDescriptor file = open_file(partial.path(), O_WRONLY | O_CREAT | O_TRUNC);
  StoredZip zip(file);
  zip.add("archive/data.pkl", bytes_of_text(state_dict_pickle(tensors)), alignment);
  zip.add("archive/byteorder", bytes_of_text("little"), alignment);
  for (std::size_t i = 0; i < tensors.size(); ++i)
    zip.add("archive/data/" + std::to_string(i), std::as_bytes(std::span(tensors[i].values)), alignment);
  zip.add("archive/version", bytes_of_text("3\n"), alignment);
  zip.finish();
  partial.publish();
}

}  // namespace convoy
