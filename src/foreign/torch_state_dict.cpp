#include "foreign/torch_state_dict.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "base/text_list.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/tensor_list.hpp"

namespace convoy {
namespace {

struct StorageType {
  std::string_view name;  // behind "torch." or, in old files, "torch.cuda."
  std::optional<NumberType> type;
  std::uint64_t bytes;
};

constexpr std::array<StorageType, 10> storage_types{{{"FloatStorage", NumberType::float32, 4},
                                                     {"HalfStorage", NumberType::float16, 2},
                                                     {"BFloat16Storage", NumberType::bfloat16, 2},
                                                     {"DoubleStorage", NumberType::float64, 8},
                                                     {"LongStorage", std::nullopt, 8},
                                                     {"IntStorage", std::nullopt, 4},
                                                     {"ShortStorage", std::nullopt, 2},
                                                     {"CharStorage", std::nullopt, 1},
                                                     {"ByteStorage", std::nullopt, 1},
                                                     {"BoolStorage", std::nullopt, 1}}};

const StorageType* storage_type(std::string_view global) {
  for (const std::string_view module : {"torch.cuda.", "torch."}) {
    if (!global.starts_with(module)) continue;
    const auto found = std::ranges::find(storage_types, global.substr(module.size()), &StorageType::name);
    return found == storage_types.end() ? nullptr : &*found;
  }
  return nullptr;
}

constexpr std::array<std::string_view, 2> tensor_makers{"torch._utils._rebuild_tensor_v2",
                                                        "torch._utils._rebuild_tensor"};

// Their first argument is the tensor.
constexpr std::array<std::string_view, 3> parameter_makers{"torch._utils._rebuild_parameter",
                                                           "torch._utils._rebuild_parameter_with_state",
                                                           "torch.nn.parameter.Parameter"};

// Plain values beside the state dict in a training script's checkpoint: options, a measured accuracy, a
// device. They are recorded and ignored.
constexpr std::array<std::string_view, 22> ignored_globals{"argparse.Namespace",
                                                           "torch.Size",
                                                           "torch.device",
                                                           "torch.float32",
                                                           "torch.float16",
                                                           "torch.bfloat16",
                                                           "torch.float64",
                                                           "torch.int64",
                                                           "torch.int32",
                                                           "torch.uint8",
                                                           "torch.bool",
                                                           "numpy.core.multiarray.scalar",
                                                           "numpy._core.multiarray.scalar",
                                                           "numpy.core.multiarray._reconstruct",
                                                           "numpy._core.multiarray._reconstruct",
                                                           "numpy.ndarray",
                                                           "numpy.dtype",
                                                           "_codecs.encode",
                                                           "pathlib.PosixPath",
                                                           "pathlib._local.PosixPath",
                                                           "pathlib.Path",
                                                           "pathlib._local.Path"};

template <std::size_t count>
bool is_one_of(std::string_view name, const std::array<std::string_view, count>& names) {
  return std::ranges::find(names, name) != names.end();
}

class StateDictReader {
 public:
  StateDictReader(const Pickle& pickle, std::uint64_t most_bytes) : pickle_(pickle), room_(most_bytes) {}

  TorchStateDict read() {
    const PickleValue& dictionary = choose_state_dict();
    for (const PickleValue& value : pickle_.values)
      if (value.kind == PickleKind::persistent) add_storage(value);
    TensorList names;
    for (std::size_t i = 0; i + 1 < dictionary.parts.size(); i += 2) {
      const PickleValue& key = part(dictionary, i);
      if (const PickleValue* tensor = tensor_in(part(dictionary, i + 1)); tensor != nullptr)
        add_tensor(text_of(key, "the name of a tensor"), *tensor, names);
    }
    check_size();
    return std::move(state_);
  }

 private:
  const PickleValue& part(const PickleValue& value, std::size_t i) const { return pickle_[value.parts[i]]; }

  // ---- which dictionary

  // The record of a tensor, out of the parameter that may be around it; null for anything else. A record
  // refers to older values only, so this ends.
  const PickleValue* tensor_in(const PickleValue& value) const {
    const PickleValue* inner = &value;
    while (inner->kind == PickleKind::object) {
      const std::string& maker = part(*inner, 0).text;
      const PickleValue& arguments = part(*inner, 1);
      if (is_one_of(maker, tensor_makers)) return inner;
      if (!is_one_of(maker, parameter_makers) || arguments.parts.empty()) return nullptr;
      inner = &part(arguments, 0);
    }
    return nullptr;
  }

  bool holds_tensors(const PickleValue& value) const {
    if (value.kind != PickleKind::dictionary) return false;
    for (std::size_t i = 1; i < value.parts.size(); i += 2)
      if (tensor_in(part(value, i)) != nullptr) return true;
    return false;
  }

  const PickleValue& choose_state_dict() const {
    const PickleValue& root = pickle_[pickle_.root];
    if (root.kind != PickleKind::dictionary)
      fail(ExitCode::bad_data,
           "it holds no dictionary of tensors: save the weights by torch.save(model.state_dict(), FILE)");
    for (const char* usual : {"state_dict", "model_state_dict", "model"})
      if (const PickleValue* inner = pickle_.find(root, usual); inner != nullptr && holds_tensors(*inner))
        return *inner;
    std::vector<const PickleValue*> inner;
    std::vector<std::string> keys, inner_keys;
    for (std::size_t i = 0; i + 1 < root.parts.size(); i += 2) {
      keys.push_back(readable(part(root, i).text));
      if (!holds_tensors(part(root, i + 1))) continue;
      inner.push_back(&part(root, i + 1));
      inner_keys.push_back(keys.back());
    }
    if (inner.size() == 1) return *inner.front();
    if (inner.size() > 1)
      fail(ExitCode::bad_data,
           "it holds several dictionaries of tensors ({}): save one of them as \"state_dict\", or alone",
           listed(inner_keys));
    if (holds_tensors(root)) return root;
    fail(ExitCode::bad_data,
         "it holds no tensors{}: save the weights by torch.save(model.state_dict(), FILE)",
         keys.empty() ? "" : ", only " + listed(keys));
  }

  static std::string listed(std::vector<std::string> names) {
    constexpr std::size_t most = 10;
    if (names.size() > most) {
      names.resize(most);
      names.emplace_back("…");
    }
    return text_list(names);
  }

  // ---- storages

  static std::string text_of(const PickleValue& value, const char* what) {
    if (value.kind != PickleKind::text) fail(ExitCode::bad_data, "{} is not a text", what);
    return value.text;
  }

  // An identity: ("storage", type, key, device, numbers), in the old format with a view or None behind.
  void add_storage(const PickleValue& persistent) {
    const PickleValue& identity = part(persistent, 0);
    const auto is = [&](std::size_t i, PickleKind kind) { return part(identity, i).kind == kind; };
    const std::size_t parts = identity.parts.size();
    if (identity.kind != PickleKind::tuple || parts < 5 || parts > 6 || !is(0, PickleKind::text) ||
        part(identity, 0).text != "storage" || !is(1, PickleKind::global) || !is(2, PickleKind::text) ||
        !is(4, PickleKind::integer))
      fail(ExitCode::bad_data, "a reference to a storage in its pickle has not the form of PyTorch's");
    const std::string& key = part(identity, 2).text;
    if (parts == 6 && !is(5, PickleKind::none))
      fail(ExitCode::bad_data,
           "storage {} is a view of another one, as only PyTorch before 0.4 wrote: save the weights again "
           "with a newer "
           "one",
           readable(key));
    const StorageType* type = storage_type(part(identity, 1).text);
    const std::int64_t numbers = part(identity, 4).integer;
    if (type == nullptr || numbers < 0)
      fail(ExitCode::bad_data, "storage {} has a type or size that cannot be: {}, {}", readable(key),
           part(identity, 1).text, numbers);
    const TorchStorage storage{key, type->type, type->bytes, static_cast<std::uint64_t>(numbers)};
    const auto [place, added] = by_key_.emplace(key, state_.storages.size());
    if (added) {
      if (storage.numbers > room_ / storage.number_bytes)
        fail(ExitCode::bad_data, "storage {} claims {} numbers, more than the file can hold", readable(key),
             numbers);
      room_ -= storage.bytes();
      state_.storages.push_back(storage);
    } else if (const TorchStorage& same = state_.storages[place->second];
               same.type != storage.type || same.bytes() != storage.bytes()) {
      fail(ExitCode::bad_data, "storage {} is claimed to have two types or sizes", readable(key));
    }
  }

  // ---- tensors

  static std::vector<std::int64_t> extents(const Pickle& pickle, const PickleValue& value,
                                           const std::string& name) {
    constexpr std::size_t most_dimensions = 64;  // PyTorch's own limit
    std::vector<std::int64_t> result;
    bool sound = value.kind == PickleKind::tuple && value.parts.size() <= most_dimensions;
    for (std::size_t i = 0; sound && i < value.parts.size(); ++i) {
      const PickleValue& extent = pickle[value.parts[i]];
      sound = extent.kind == PickleKind::integer && extent.integer >= 0;
      result.push_back(extent.integer);
    }
    if (!sound) fail(ExitCode::bad_data, "{}: its shape or its strides are not whole numbers from 0", name);
    return result;
  }

  // _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks), _rebuild_tensor(the first
  // four).
  void add_tensor(const std::string& key, const PickleValue& record, TensorList& names) {
    const std::string name = readable(key);
    const PickleValue& arguments = part(record, 1);
    constexpr std::size_t least = 4, most = 6;
    if (arguments.parts.size() < least || arguments.parts.size() > most ||
        part(arguments, 0).kind != PickleKind::persistent || part(arguments, 1).kind != PickleKind::integer)
      fail(ExitCode::bad_data, "{}: its record has not the form of PyTorch's", name);
    TorchTensor tensor;
    tensor.storage = by_key_.at(part(part(part(arguments, 0), 0), 2).text);
    TorchStorage& storage = state_.storages[tensor.storage];
    if (!storage.type) return;  // a counter
    tensor.shape = extents(pickle_, part(arguments, 2), name);
    tensor.strides = extents(pickle_, part(arguments, 3), name);
    const std::int64_t offset = part(arguments, 1).integer;
    if (tensor.strides.size() != tensor.shape.size())
      fail(ExitCode::bad_data, "{}: it has {} dimensions but {} strides", name, tensor.shape.size(),
           tensor.strides.size());
    tensor.offset = static_cast<std::uint64_t>(offset);
    check_place(tensor, offset, storage, name);
    tensor.name = names.claim(key);
    storage.needed = true;
    state_.tensors.push_back(std::move(tensor));
  }

  // The last number of the tensor is in its storage; so are all the others, since nothing is negative.
  static void check_place(const TorchTensor& tensor, std::int64_t offset, const TorchStorage& storage,
                          const std::string& name) {
    const auto count = element_count(tensor.shape);
    std::int64_t last = offset;
    bool fits = count.has_value() && offset >= 0;
    for (std::size_t i = 0; fits && i < tensor.shape.size(); ++i) {
      std::int64_t step = 0;
      if (tensor.shape[i] == 0) continue;
      fits = !__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &step) &&
             !__builtin_add_overflow(last, step, &last);
    }
    if (fits && *count == 0) return;
    if (!fits || static_cast<std::uint64_t>(last) >= storage.numbers)
      fail(ExitCode::bad_data, "{}: it reaches beyond the {} numbers of its storage {}", name,
           storage.numbers, readable(storage.key));
    if (*count > storage.numbers)
      fail(ExitCode::bad_data, "{}: it repeats the {} numbers of its storage: save it as tensor.contiguous()",
           name, storage.numbers);
  }

  // Any number of tensors may share a storage: the memory for all is still a multiple of what the file holds.
  void check_size() const {
    constexpr std::uint64_t most_uses = 4;
    std::uint64_t numbers = 0, stored = 0;
    for (const TorchStorage& storage : state_.storages)
      if (storage.needed) stored += storage.numbers;
    for (const TorchTensor& tensor : state_.tensors) {
      numbers += element_count(tensor.shape).value_or(0);
      if (numbers / most_uses > stored)
        fail(ExitCode::bad_data, "its tensors use the same {} numbers more than {} times", stored, most_uses);
    }
  }

  const Pickle& pickle_;
  std::uint64_t room_;  // bytes that storages may still claim
  TorchStateDict state_;
  std::map<std::string, std::size_t> by_key_;
};

}  // namespace

bool torch_global(std::string_view name) {
  return name == "collections.OrderedDict" || is_one_of(name, tensor_makers) ||
         is_one_of(name, parameter_makers) || storage_type(name) != nullptr ||
         is_one_of(name, ignored_globals);
}

std::uint64_t torch_number_bytes(std::string_view storage_type_name) {
  const StorageType* type = storage_type(storage_type_name);
  if (type == nullptr)
    fail(ExitCode::bad_data, "it has a storage of the unknown type '{}'", readable(storage_type_name));
  return type->bytes;
}

TorchStateDict torch_state_dict(const Pickle& pickle, std::uint64_t most_bytes) {
  return StateDictReader(pickle, most_bytes).read();
}

}  // namespace convoy
