#include "foreign/pickle.hpp"

#include <bit>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/error.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/pickle_opcodes.hpp"

namespace convoy {
namespace {

// Every opcode makes at most one value, so this also bounds the memory, to about 150 MB. A state dict takes
// some 20 opcodes for each tensor.
constexpr std::uint64_t most_opcodes = 1 << 20;
constexpr int oldest_protocol = 2, newest_protocol = 5;

// A pickle is a program for a stack machine. Nothing here is recursive: nesting costs the machine no stack.
class Machine {
 public:
  Machine(std::istream& stream, std::uint64_t available,
          const std::function<bool(std::string_view)>& permitted)
      : stream_(stream), available_(available), permitted_(permitted) {}

  Pickle run() {
    read_protocol();
    for (;;) {
      count(1);
      opcode_ = byte();
      if (opcode_ == pickle_opcodes::stop) break;
      if (!scalar() && !text() && !container() && !memo() && !object())
        fail(ExitCode::bad_data, "its pickle has the opcode {}, which no state dict needs: refused",
             pickle_opcodes::name_of(opcode_));
    }
    if (stack_.size() != 1 || !marks_.empty()) damaged("it does not end with one value");
    return {std::move(values_), stack_.front()};
  }

 private:
  [[noreturn]] static void damaged(const char* reason) {
    fail(ExitCode::bad_data, "its pickle is damaged: {}", reason);
  }

  void count(std::uint64_t opcodes) {
    opcodes_ += opcodes;
    if (opcodes_ > most_opcodes)
      fail(ExitCode::bad_data, "its pickle has more than {} opcodes", most_opcodes);
  }

  // ---- bytes

  void take(std::uint64_t bytes) {
    if (bytes > available_)
      fail(ExitCode::bad_data, "its pickle is truncated or claims a length of {} bytes that it does not have",
           bytes);
    available_ -= bytes;
  }

  unsigned char byte() {
    take(1);
    const auto value = stream_.get();
    if (value == std::istream::traits_type::eof()) damaged("it ends too early");
    return static_cast<unsigned char>(value);
  }

  std::string bytes(std::uint64_t count) {
    take(count);
    std::string result(count, '\0');
    if (!stream_.read(result.data(), static_cast<std::streamsize>(count))) damaged("it ends too early");
    return result;
  }

  // A little-endian number without sign.
  std::uint64_t number(int size) {
    std::uint64_t value = 0;
    for (int i = 0; i < size; ++i) value |= std::uint64_t{byte()} << (8 * i);
    return value;
  }

  // Up to a line feed, which is not part of it.
  std::string line() {
    constexpr std::size_t longest = 1024;
    std::string result;
    for (auto c = byte(); c != '\n'; c = byte()) {
      if (result.size() == longest) damaged("a name in it is too long");
      result.push_back(static_cast<char>(c));
    }
    return result;
  }

  void read_protocol() {
    if (byte() != pickle_opcodes::proto) damaged("it does not begin with a protocol from 2 on");
    const int protocol = byte();
    if (protocol < oldest_protocol || protocol > newest_protocol)
      fail(ExitCode::bad_data, "its pickle has protocol {}, only {} to {} can be read", protocol,
           oldest_protocol, newest_protocol);
  }

  // ---- stack

  PickleId make(PickleKind kind) {
    values_.push_back({});
    values_.back().kind = kind;
    return static_cast<PickleId>(values_.size() - 1);
  }

  bool push(PickleId id) {
    stack_.push_back(id);
    return true;
  }

  bool push(PickleKind kind, std::int64_t integer = 0) {
    const PickleId id = make(kind);
    values_[id].integer = integer;
    return push(id);
  }

  bool push_text(PickleKind kind, std::string content) {
    const PickleId id = make(kind);
    values_[id].text = std::move(content);
    return push(id);
  }

  // Values above the last mark belong to what the mark began.
  PickleId pop() {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) damaged("it takes a value from an empty stack");
    const PickleId id = stack_.back();
    stack_.pop_back();
    return id;
  }

  PickleId top() {
    const PickleId id = pop();
    push(id);
    return id;
  }

  std::vector<PickleId> pop_to_mark() {
    if (marks_.empty()) damaged("a mark is missing");
    std::vector<PickleId> parts(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return parts;
  }

  // ---- opcodes, by group; each function returns whether the opcode is of its group

  bool scalar() {
    switch (opcode_) {
      case pickle_opcodes::frame:  // only tells how much may be read ahead
        if (number(8) > available_) damaged("a frame is longer than the pickle");
        return true;
      case pickle_opcodes::none:
        return push(PickleKind::none);
      case pickle_opcodes::new_true:
        return push(PickleKind::boolean, 1);
      case pickle_opcodes::new_false:
        return push(PickleKind::boolean, 0);
      case pickle_opcodes::int1:
        return push(PickleKind::integer, static_cast<std::int64_t>(number(1)));
      case pickle_opcodes::int2:
        return push(PickleKind::integer, static_cast<std::int64_t>(number(2)));
      case pickle_opcodes::int4:
        return push(PickleKind::integer, static_cast<std::int32_t>(number(4)));
      case pickle_opcodes::long1:
        return long_integer(number(1));
      case pickle_opcodes::long4:
        return long_integer(number(4));
      case pickle_opcodes::float8:
        take(8);
        stream_.ignore(8);
        return push(PickleKind::other);
      default:
        return false;
    }
  }

  // Two's complement of any length.
  bool long_integer(std::uint64_t size) {
    const std::string digits = bytes(size);
    std::uint64_t value = 0;
    if (digits.size() > sizeof(value)) return push(PickleKind::other);
    if (!digits.empty() && static_cast<signed char>(digits.back()) < 0) value = ~std::uint64_t{0};
    std::memcpy(&value, digits.data(), digits.size());
    return push(PickleKind::integer, std::bit_cast<std::int64_t>(value));
  }

  bool text() {
    switch (opcode_) {
      case pickle_opcodes::unicode1:
      case pickle_opcodes::string1:  // Python 2's
        return push_text(PickleKind::text, bytes(number(1)));
      case pickle_opcodes::unicode4:
      case pickle_opcodes::string4:
        return push_text(PickleKind::text, bytes(number(4)));
      case pickle_opcodes::unicode8:
        return push_text(PickleKind::text, bytes(number(8)));
      case pickle_opcodes::bytes1:
        return push_text(PickleKind::other, bytes(number(1)));
      case pickle_opcodes::bytes4:
        return push_text(PickleKind::other, bytes(number(4)));
      case pickle_opcodes::bytes8:
        return push_text(PickleKind::other, bytes(number(8)));
      default:
        return false;
    }
  }

  bool container() {
    switch (opcode_) {
      case pickle_opcodes::mark:
        marks_.push_back(stack_.size());
        return true;
      case pickle_opcodes::empty_tuple:
        return push(PickleKind::tuple);
      case pickle_opcodes::tuple1:
        return small_tuple(1);
      case pickle_opcodes::tuple2:
        return small_tuple(2);
      case pickle_opcodes::tuple3:
        return small_tuple(3);
      case pickle_opcodes::tuple:
        return push_tuple(pop_to_mark());
      case pickle_opcodes::empty_list:
        return push(PickleKind::list);
      case pickle_opcodes::append:
        return extend(PickleKind::list, {pop()});
      case pickle_opcodes::appends:
        return extend(PickleKind::list, pop_to_mark());
      case pickle_opcodes::empty_dict:
        return push(PickleKind::dictionary);
      case pickle_opcodes::set_item: {
        const PickleId value = pop(), key = pop();
        return extend(PickleKind::dictionary, {key, value});
      }
      case pickle_opcodes::set_items:
        return extend(PickleKind::dictionary, pop_to_mark());
      default:
        return false;
    }
  }

  bool push_tuple(std::vector<PickleId> parts) {
    const PickleId id = make(PickleKind::tuple);
    values_[id].parts = std::move(parts);
    return push(id);
  }

  bool small_tuple(std::size_t size) {
    std::vector<PickleId> parts(size);
    while (size > 0) parts[--size] = pop();
    return push_tuple(std::move(parts));
  }

  bool extend(PickleKind kind, const std::vector<PickleId>& more) {
    PickleValue& target = values_[top()];
    if (target.kind != kind) damaged("it adds to something that is neither list nor dictionary");
    if (kind == PickleKind::dictionary && more.size() % 2 != 0) damaged("a dictionary's key has no value");
    target.parts.insert(target.parts.end(), more.begin(), more.end());
    return true;
  }

  bool memo() {
    switch (opcode_) {
      case pickle_opcodes::put1:
        return put(static_cast<std::uint32_t>(number(1)));
      case pickle_opcodes::put4:
        return put(static_cast<std::uint32_t>(number(4)));
      case pickle_opcodes::memoize:
        return put(static_cast<std::uint32_t>(memo_.size()));
      case pickle_opcodes::get1:
        return get(static_cast<std::uint32_t>(number(1)));
      case pickle_opcodes::get4:
        return get(static_cast<std::uint32_t>(number(4)));
      default:
        return false;
    }
  }

  bool put(std::uint32_t place) {
    memo_[place] = top();
    return true;
  }

  bool get(std::uint32_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) damaged("it refers to a value that it does not have");
    return push(found->second);
  }

  bool object() {
    switch (opcode_) {
      case pickle_opcodes::global: {
        const std::string module = line();
        return push_global(module, line());
      }
      case pickle_opcodes::stack_global: {
        const PickleId name = pop(), module = pop();
        if (values_[name].kind != PickleKind::text || values_[module].kind != PickleKind::text)
          damaged("the name of a global is not a text");
        return push_global(values_[module].text, values_[name].text);
      }
      case pickle_opcodes::reduce:
      case pickle_opcodes::new_object:
        return make_object();
      case pickle_opcodes::build:
        pop();
        if (const auto kind = values_[top()].kind;
            kind != PickleKind::object && kind != PickleKind::dictionary)
          damaged("it sets attributes of something that has none");
        return true;
      case pickle_opcodes::persistent_id: {
        const PickleId identity = pop();
        const PickleId id = make(PickleKind::persistent);
        values_[id].parts = {identity};
        return push(id);
      }
      default:
        return false;
    }
  }

  bool push_global(const std::string& module, const std::string& name) {
    std::string whole = module + "." + name;
    if (!permitted_(whole))
      fail(ExitCode::bad_data,
           "its pickle refers to {}, which no state dict needs: refused, nothing of it was called. If the "
           "file holds "
           "a whole module or a training state, save only the weights: torch.save(model.state_dict(), FILE)",
           readable(whole));
    return push_text(PickleKind::global, std::move(whole));
  }

  bool make_object() {
    const PickleId arguments = pop(), callee = pop();
    if (values_[callee].kind != PickleKind::global || values_[arguments].kind != PickleKind::tuple)
      damaged("it makes an object of something that is not a global with a tuple of arguments");
    if (values_[callee].text == "collections.OrderedDict") return make_dictionary(values_[arguments].parts);
    const PickleId id = make(PickleKind::object);
    values_[id].parts = {callee, arguments};
    return push(id);
  }

  // OrderedDict(), or Python 2's OrderedDict([[key, value], …]).
  bool make_dictionary(const std::vector<PickleId>& arguments) {
    std::vector<PickleId> parts;
    if (arguments.size() > 1) damaged("an OrderedDict has several arguments");
    for (const PickleId list : arguments) {
      count(values_[list].parts.size());  // the same list may be the argument of many
      for (const PickleId pair : values_[list].parts) {
        const std::vector<PickleId>& both = values_[pair].parts;
        if (both.size() != 2) damaged("an OrderedDict's argument is not a list of pairs");
        parts.insert(parts.end(), both.begin(), both.end());
      }
    }
    push(PickleKind::dictionary);
    values_[stack_.back()].parts = std::move(parts);
    return true;
  }

  std::istream& stream_;
  std::uint64_t available_;
  const std::function<bool(std::string_view)>& permitted_;
  unsigned char opcode_ = 0;
  std::uint64_t opcodes_ = 0;
  std::vector<PickleValue> values_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::unordered_map<std::uint32_t, PickleId> memo_;
};

}  // namespace

const PickleValue* Pickle::find(const PickleValue& dictionary, std::string_view key) const {
  const PickleValue* found = nullptr;  // of a key that is given twice the last counts, as in Python
  for (std::size_t i = 0; i + 1 < dictionary.parts.size(); i += 2) {
    const PickleValue& name = values[dictionary.parts[i]];
    if (name.kind == PickleKind::text && name.text == key) found = &values[dictionary.parts[i + 1]];
  }
  return found;
}

Pickle read_pickle(std::istream& stream, std::uint64_t available,
                   const std::function<bool(std::string_view)>& permitted) {
  return Machine(stream, available, permitted).run();
}

}  // namespace convoy
