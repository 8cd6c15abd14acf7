// A file of torch.save before version 0.2, such as torchvision's first AlexNet (alexnet-owt-4df8aa71.pth): a
// tar of three members. `pickle` is the object, in which a tensor is only a key; `tensors` has the views of
// storages behind these keys; `storages` has the numbers. The last two are sequences of pickles and plain
// numbers.

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <string>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/torch_file.hpp"
#include "foreign/torch_state_dict.hpp"
#include "sources/tar_file.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

ArchiveListing members_of(const fs::path& path) {
  return list_tar({path, 0, open_regular_file(path).size()});
}

const ArchiveMember* member(const ArchiveListing& listing, std::string_view name) {
  const auto found = std::ranges::find(listing.members, name, &ArchiveMember::path);
  return found == listing.members.end() || !found->flaw.empty() ? nullptr : &*found;
}

// A member as the sequence that it is.
class Sequence {
 public:
  Sequence(const fs::path& path, const ArchiveMember& member)
      : stream_(path, std::ios::binary), end_(member.offset + member.bytes) {
    stream_.seekg(static_cast<std::streamoff>(member.offset));
  }

  Pickle pickle() {
    constexpr std::uint64_t longest = 64 << 20;
    const auto permitted = [](std::string_view name) {  // `tensors` names the types of its tensors
      return torch_global(name) || (name.starts_with("torch.") && name.ends_with("Tensor"));
    };
    return read_pickle(stream_, std::min(longest, left()), permitted);
  }

  template <typename Number>
  Number number() {
    Number value{};
    if (left() < sizeof(value) || !stream_.read(reinterpret_cast<char*>(&value), sizeof(value)))
      fail(ExitCode::bad_data, "a member of the tar is truncated");
    return value;
  }

  std::uint64_t position() { return end_ - left(); }

  void skip(std::uint64_t bytes) {
    if (bytes > left()) fail(ExitCode::bad_data, "a member of the tar is truncated");
    stream_.seekg(static_cast<std::streamoff>(position() + bytes));
  }

 private:
  std::uint64_t left() {
    const auto here = stream_.tellg();
    return here < 0 || static_cast<std::uint64_t>(here) > end_ ? 0 : end_ - static_cast<std::uint64_t>(here);
  }

  std::ifstream stream_;
  std::uint64_t end_;
};

// Keys are numbers in one place and texts of them in another.
std::string key_of(const PickleValue& value) {
  return value.kind == PickleKind::integer ? std::to_string(value.integer) : value.text;
}

std::int64_t count_of(const Pickle& pickle) {
  const PickleValue& count = pickle[pickle.root];
  if (count.kind != PickleKind::integer)
    fail(ExitCode::bad_data, "a member of the tar does not begin with a number");
  return count.integer;
}

// The three values with which each storage and each tensor begins.
std::array<PickleValue, 3> three_of(const Pickle& pickle) {
  const PickleValue& tuple = pickle[pickle.root];
  if (tuple.parts.size() != 3) fail(ExitCode::bad_data, "a record in the tar has not the form of PyTorch's");
  return {pickle[tuple.parts[0]], pickle[tuple.parts[1]], pickle[tuple.parts[2]]};
}

struct StoredNumbers {
  std::string type;  // "torch.FloatStorage"
  std::int64_t numbers = 0;
  std::uint64_t offset = 0;  // of the numbers in the file
};

std::map<std::string, StoredNumbers> read_storages(Sequence sequence) {
  std::map<std::string, StoredNumbers> storages;
  for (std::int64_t left = count_of(sequence.pickle()); left > 0; --left) {
    const auto [key, device, type] = three_of(sequence.pickle());
    const std::uint64_t bytes_each = torch_number_bytes(type.text);
    StoredNumbers storage{type.text, sequence.number<std::int64_t>(), sequence.position()};
    std::uint64_t bytes = 0;
    if (storage.numbers < 0 ||
        __builtin_mul_overflow(static_cast<std::uint64_t>(storage.numbers), bytes_each, &bytes))
      fail(ExitCode::bad_data, "storage {} has a size that cannot be", readable(key_of(key)));
    sequence.skip(bytes);
    if (!storages.emplace(key_of(key), storage).second)
      fail(ExitCode::bad_data, "it holds storage {} twice", readable(key_of(key)));
  }
  return storages;
}

struct TensorView {
  std::string storage;
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape, strides;
};

std::map<std::string, TensorView> read_tensors(Sequence sequence) {
  constexpr std::int32_t most_dimensions = 64;
  std::map<std::string, TensorView> tensors;
  for (std::int64_t left = count_of(sequence.pickle()); left > 0; --left) {
    const auto [key, storage, type] = three_of(sequence.pickle());
    TensorView view;
    view.storage = key_of(storage);
    const auto dimensions = sequence.number<std::int32_t>();
    if (dimensions < 0 || dimensions > most_dimensions)
      fail(ExitCode::bad_data, "tensor {} has {} dimensions", readable(key_of(key)), dimensions);
    sequence.number<std::int32_t>();  // an unused half of what was once one number
    for (std::int32_t i = 0; i < dimensions; ++i) view.shape.push_back(sequence.number<std::int64_t>());
    for (std::int32_t i = 0; i < dimensions; ++i) view.strides.push_back(sequence.number<std::int64_t>());
    view.offset = sequence.number<std::int64_t>();
    tensors[key_of(key)] = std::move(view);
  }
  return tensors;
}

// Writes into a pickle what later versions of PyTorch would have written for a tensor.
class Rewriter {
 public:
  Rewriter(Pickle& pickle, const std::map<std::string, StoredNumbers>& storages,
           const std::map<std::string, TensorView>& tensors)
      : pickle_(pickle), storages_(storages), tensors_(tensors) {}

  void rewrite_all() {
    const auto count = static_cast<PickleId>(pickle_.values.size());
    for (PickleId id = 0; id < count; ++id)
      if (pickle_[id].kind == PickleKind::persistent) rewrite(id);
  }

 private:
  PickleId add(PickleKind kind, std::int64_t integer, std::string text, std::vector<PickleId> parts) {
    pickle_.values.push_back({kind, integer, std::move(text), std::move(parts)});
    return static_cast<PickleId>(pickle_.values.size() - 1);
  }
  PickleId text(std::string content) { return add(PickleKind::text, 0, std::move(content), {}); }
  PickleId global(std::string name) { return add(PickleKind::global, 0, std::move(name), {}); }
  PickleId integer(std::int64_t value) { return add(PickleKind::integer, value, {}, {}); }
  PickleId tuple(std::vector<PickleId> parts) { return add(PickleKind::tuple, 0, {}, std::move(parts)); }
  PickleId extents(const std::vector<std::int64_t>& values) {
    std::vector<PickleId> parts;
    parts.reserve(values.size());
    for (const std::int64_t value : values) parts.push_back(integer(value));
    return tuple(std::move(parts));
  }

  void rewrite(PickleId id) {
    const std::string key = key_of(pickle_[pickle_[id].parts[0]]);
    auto record = records_.find(key);
    if (record == records_.end()) record = records_.emplace(key, record_of(key)).first;
    pickle_.values[id] = {PickleKind::object, 0, {}, record->second};
  }

  // The maker of a tensor and its arguments. Made once, however often a pickle refers to the tensor: many
  // references to one of many dimensions would make a small file large.
  std::vector<PickleId> record_of(const std::string& key) {
    const auto view = tensors_.find(key);
    if (view == tensors_.end()) fail(ExitCode::bad_data, "tensor {} is missing", readable(key));
    const TensorView& tensor = view->second;
    const auto storage = storages_.find(tensor.storage);
    if (storage == storages_.end())
      fail(ExitCode::bad_data, "the numbers of storage {} are missing", readable(tensor.storage));
    const PickleId identity = tuple({text("storage"), global(storage->second.type), text(tensor.storage),
                                     text("cpu"), integer(storage->second.numbers)});
    const PickleId numbers = add(PickleKind::persistent, 0, {}, {identity});
    const PickleId arguments =
        tuple({numbers, integer(tensor.offset), extents(tensor.shape), extents(tensor.strides)});
    return {global("torch._utils._rebuild_tensor"), arguments};
  }

  Pickle& pickle_;
  const std::map<std::string, StoredNumbers>& storages_;
  const std::map<std::string, TensorView>& tensors_;
  std::map<std::string, std::vector<PickleId>> records_;  // by the tensor's key
};

std::vector<NamedTensor> read(const fs::path& path, const ArchiveListing& listing) {
  const auto sequence = [&](std::string_view name) { return Sequence(path, *member(listing, name)); };
  const std::map<std::string, StoredNumbers> storages = read_storages(sequence("storages"));
  const std::map<std::string, TensorView> views = read_tensors(sequence("tensors"));
  Pickle pickle = sequence("pickle").pickle();
  Rewriter(pickle, storages, views).rewrite_all();
  const FileDescriptor file = open_regular_file(path);
  const TorchStateDict state = torch_state_dict(pickle, file.size());
  TorchTensors tensors(state);
  for (std::size_t i = 0; i < state.storages.size(); ++i) {
    if (!state.storages[i].needed) continue;
    std::vector<std::byte> bytes(state.storages[i].bytes());
    file.read_exactly(storages.at(state.storages[i].key).offset, bytes);
    tensors.add_storage(i, bytes);
  }
  return tensors.take();
}

}  // namespace

bool is_torch_tar(const fs::path& path) {
  constexpr std::uint64_t mark_offset = 257;
  constexpr std::string_view mark = "ustar";
  std::array<std::byte, mark.size()> start{};
  if (open_regular_file(path).read_at(mark_offset, start) != start.size() ||
      std::string_view(reinterpret_cast<const char*>(start.data()), start.size()) != mark)
    return false;
  const ArchiveListing listing = members_of(path);
  const std::array<std::string_view, 3> names{"pickle", "tensors", "storages"};
  return std::ranges::all_of(names, [&](std::string_view name) { return member(listing, name) != nullptr; });
}

std::vector<NamedTensor> read_torch_tar(const fs::path& path) {
  const ArchiveListing listing = members_of(path);
  return naming_file(path, [&] { return read(path, listing); });
}

}  // namespace convoy
