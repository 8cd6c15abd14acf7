// Python's pickles, as far as plain data needs them: numbers, texts, tuples, lists, dictionaries, and objects
// as records of what the pickle asks to be made of them. Nothing is ever called or imported: a reader of the
// result knows what the few permitted globals mean. Used by torch_state_dict.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace convoy {

enum class PickleKind : std::uint8_t {
  none,
  boolean,  // `integer` is 0 or 1
  integer,
  text,
  tuple,       // `parts`: its elements
  list,        // the same
  dictionary,  // `parts`: key, value, key, value, …
  global,      // `text`: "torch.FloatStorage"
  object,      // `parts`: a global and the tuple of its arguments
  persistent,  // `parts`: the one value that identifies something outside the pickle
  other,       // a number or bytes that nobody here needs
};

// Values refer to each other by their place in Pickle::values: they may be shared, and form cycles.
using PickleId = std::uint32_t;

struct PickleValue {
  PickleKind kind = PickleKind::none;
  std::int64_t integer = 0;
  std::string text;
  std::vector<PickleId> parts;
};

struct Pickle {
  std::vector<PickleValue> values;
  PickleId root = 0;

  const PickleValue& operator[](PickleId id) const { return values[id]; }
  // The value of a key of a dictionary that is a text; null if it has no such key.
  const PickleValue* find(const PickleValue& dictionary, std::string_view key) const;
};

// Reads one pickle of protocol 2 … 5 from the stream and leaves it behind the pickle. It may take at most
// `available` bytes. A global must be `permitted` by its name ("collections.OrderedDict"); what a pickle sets
// on an object after it is made is dropped. Throws ExitCode::bad_data (without the file's name) for anything
// else, naming the opcode or the global.
Pickle read_pickle(std::istream& stream, std::uint64_t available,
                   const std::function<bool(std::string_view)>& permitted);

}  // namespace convoy
