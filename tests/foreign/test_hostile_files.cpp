// Files made to harm whoever opens them, or damaged: each is refused with a reason, nothing is called, and no
// more memory is taken than the file justifies.
#include <gtest/gtest.h>

#include "foreign/allocation_peak.hpp"
#include "foreign/file_bytes.hpp"
#include "foreign/foreign_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

using namespace test;
using namespace std::string_literals;

struct Hostile {
  std::string name, bytes;
  std::vector<std::string> words;  // of the message
};

std::string zip_of_pickle(const std::string& pickle_bytes, const pickle::Items& storages = {}) {
  std::vector<ZipPart> parts(1);
  parts[0].name = "archive/data.pkl";
  parts[0].content = pickle_bytes;
  for (const auto& [key, bytes] : storages) {
    parts.emplace_back();
    parts.back().name = "archive/data/" + key;
    parts.back().content = bytes;
  }
  return zip(parts);
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

const std::string protocol2 = "\x80\x02", protocol4 = "\x80\x04";

// A pickle that would do something, were it executed.
std::vector<Hostile> calling() {
  const std::string command = pickle::tuple({pickle::text("touch /tmp/it-was-called")});
  const auto refused = [](const std::string& name) -> std::vector<std::string> {
    return {name, "refused", "nothing of it was called", "model.state_dict()"};
  };
  const auto short_text = [](const std::string& text) {
    return "\x8c" + little_endian(text.size(), 1) + text;
  };
  return {
      {"reduce posix.system", torch_zip(pickle::call("posix", "system", command), {}),
       refused("posix.system")},
      {"reduce os.system", torch_zip(pickle::call("os", "system", command), {}), refused("os.system")},
      {"old file, builtins.eval", old_torch_file(pickle::call("__builtin__", "eval", command), {}),
       refused("__builtin__.eval")},
      {"stack global of texts",
       zip_of_pickle(protocol4 + short_text("builtins") + short_text("exec") + "\x93" + command + "R."),
       refused("builtins.exec")},
      {"stack global through a dot",
       zip_of_pickle(protocol4 + short_text("torch._utils") + short_text("_rebuild_tensor_v2.__globals__") +
                     "\x93."),
       refused("_rebuild_tensor_v2.__globals__")},
      {"new object", torch_zip(pickle::global("subprocess", "Popen") + command + "\x81", {}),
       refused("subprocess.Popen")},
      {"whole module", torch_zip(pickle::call("torchvision.models.alexnet", "AlexNet", ")"), {}),
       refused("torchvision.models.alexnet.AlexNet")},
      {"build with a loader", torch_zip(pickle::call("torch.serialization", "load", command) + "}b", {}),
       refused("torch.serialization.load")},
      {"a name for the terminal", torch_zip(pickle::global("\x1b[2Jevil", "x"), {}), {"?[2Jevil.x"}},
      {"inst",
       zip_of_pickle(protocol2 + "(" + pickle::text("id") + "iposix\nsystem\n."),
       {"INST ('i')", "refused"}},
      {"obj",
       zip_of_pickle(protocol2 + "(" + pickle::global("collections", "OrderedDict") + "o."),
       {"OBJ ('o')", "refused"}},
      {"new object with keywords", zip_of_pickle(protocol4 + ")}}\x92."), {"NEWOBJ_EX", "refused"}},
      {"extension", zip_of_pickle(protocol2 + "\x82\x01."), {"EXT1", "refused"}},
      {"persistent text", zip_of_pickle(protocol2 + "Pfile\n."), {"PERSID ('P')", "refused"}},
      {"buffer", zip_of_pickle(protocol4 + "\x97."), {"NEXT_BUFFER", "refused"}},
      {"no opcode", zip_of_pickle(protocol2 + "\xff."), {"0xFF", "refused"}},
      {"call of a text", torch_zip(pickle::text("os.system") + command + "R", {}), {"not a global"}},
  };
}

// A pickle that claims or makes more than it has.
std::vector<Hostile> growing() {
  const std::string forever(8, '\x7f');
  const std::vector<std::string> claimed{"claims a length"};
  const std::string pair = "]" + pickle::text("k") + "Na";  // ["k"], and None below
  // A list of 200,000 pairs, and dictionaries made of it again and again.
  const std::string pairs =
      pickle::global("collections", "OrderedDict") + "q\1](" + repeated("NN\x86", 200'000) + "e\x85q\2R";
  return {
      {"bytes of 2^62", zip_of_pickle(protocol4 + "\x8e" + forever + "."), claimed},
      {"text of 2^62", zip_of_pickle(protocol4 + "\x8d" + forever + "."), claimed},
      {"text of 4 GB", zip_of_pickle(protocol2 + "X\xff\xff\xff\xff."), claimed},
      {"number of 4 GB", zip_of_pickle(protocol2 + "\x8b\xff\xff\xff\xff."), claimed},
      {"frame of 2^62", zip_of_pickle(protocol4 + "\x95" + forever + "N."), {"frame"}},
      {"old file, text of 4 GB", old_torch_file("X\xff\xff\xff\xff", {}), claimed},
      {"memo place of 2^32", zip_of_pickle(protocol2 + "Nr\xff\xff\xff\xff."), {"no dictionary of tensors"}},
      {"nested tuples",
       torch_zip(repeated("N", 1) + repeated("\x85", 900'000), {}),
       {"no dictionary of tensors"}},
      {"nested lists",
       torch_zip("]" + repeated("]a", 1) + repeated("q\1", 1) + "h\1a", {}),
       {"no dictionary of tensors"}},
      {"a dictionary in itself",
       torch_zip("}q\1" + pickle::text("state_dict") + "h\1s", {}),
       {"no tensors, only state_dict"}},
      {"too many values",
       zip_of_pickle(protocol2 + repeated("N", 2 << 20) + "."),
       {"more than 1048576 opcodes"}},
      {"a list copied again and again",
       torch_zip(pairs + repeated("h\1h\2R", 1000), {}),
       {"more than 1048576 opcodes"}},
      {"data.pkl of 100 MB",
       [] {
         std::vector<ZipPart> parts(1);
         parts[0].name = "a/data.pkl";
         parts[0].content = std::string(100 << 20, 'N');
         parts[0].deflated = true;
         return zip(parts);
       }(),
       {"data.pkl has more than the"}},
  };
}

std::vector<Hostile> malformed() {
  return {
      {"protocol 0", zip_of_pickle("(dp0\n."), {"does not begin with a protocol"}},
      {"protocol 9", zip_of_pickle("\x80\x09N."), {"protocol 9"}},
      {"no stop", zip_of_pickle(protocol2 + "N"), {"truncated"}},
      {"empty", zip_of_pickle(""), {"truncated"}},
      {"two values", zip_of_pickle(protocol2 + "NN."), {"does not end with one value"}},
      {"nothing", zip_of_pickle(protocol2 + "."), {"does not end with one value"}},
      {"empty stack", zip_of_pickle(protocol2 + "a."), {"empty stack"}},
      {"below a mark", zip_of_pickle(protocol2 + "N(\x85."), {"empty stack"}},
      {"no mark", zip_of_pickle(protocol2 + "t."), {"a mark is missing"}},
      {"memo", zip_of_pickle(protocol2 + "h\5."), {"refers to a value that it does not have"}},
      {"items into a tuple", zip_of_pickle(protocol2 + ")NNs."), {"neither list nor dictionary"}},
      {"key alone", zip_of_pickle(protocol2 + "}(Nu."), {"key has no value"}},
      {"attributes of a number", zip_of_pickle(protocol2 + "K\1}b."), {"attributes"}},
      {"name of a global", zip_of_pickle(protocol4 + "NN\x93."), {"not a text"}},
      {"a long name",
       zip_of_pickle(protocol2 + "c" + std::string(5000, 'x') + "\ny\n."),
       {"name in it is too long"}},
      {"a number", torch_zip("K\1", {}), {"no dictionary of tensors", "model.state_dict()"}},
      {"an epoch", torch_zip(pickle::dict({{"epoch", "K\1"}}), {}), {"no tensors, only epoch"}},
      {"two state dicts",
       torch_zip(pickle::dict(
                     {{"ema", pickle::dict({{"w", pickle::tensor(pickle::storage("0", 1), 0, {1}, {1})}})},
                      {"net", pickle::dict({{"w", pickle::tensor(pickle::storage("0", 1), 0, {1}, {1})}})}}),
                 {{"0", "1234"}}),
       {"several dictionaries of tensors", "ema, net"}},
  };
}

// State dicts of one tensor `w` on a storage `0` of six numbers, which the file has.
std::vector<Hostile> views() {
  const pickle::Items numbers{{"0", std::string(24, '\0')}};
  const std::string storage = pickle::storage("0", 6);
  const auto file = [&](std::int64_t offset, const pickle::Extents& shape, const pickle::Extents& strides) {
    return torch_zip(pickle::dict({{"w", pickle::tensor(storage, offset, shape, strides)}}), numbers);
  };
  const auto claiming = [&](const std::string& claim) {
    return torch_zip(pickle::dict({{"w", pickle::tensor(claim, 0, {6}, {1})}}), numbers);
  };
  const std::int64_t huge = std::int64_t{1} << 62;
  const std::vector<std::string> beyond{"w: it reaches beyond the 6 numbers of its storage 0"};
  const auto identity = [](const std::string& type, const std::string& key, const std::string& count) {
    return pickle::tuple({pickle::text("storage"), type, key, pickle::text("cpu"), count}) + "Q";
  };
  const std::string float_type = pickle::global("torch", "FloatStorage"), zero = pickle::text("0"),
                    six = "K\6";
  pickle::Items many;
  for (int i = 0; i < 2000; ++i)
    many.emplace_back("w" + std::to_string(i), pickle::tensor(storage, 0, {6}, {1}));
  return {
      {"too many numbers", file(0, {7}, {1}), beyond},
      {"strides too long", file(0, {2, 2}, {5, 1}), beyond},
      {"offset too far", file(1, {6}, {1}), beyond},
      {"huge shape", file(0, {huge, huge}, {1, 1}), beyond},
      {"huge shape of nothing", file(0, {huge, huge, 0}, {1, 1, 1}), beyond},
      {"huge stride", file(0, {6, 6}, {huge, huge}), beyond},
      {"negative shape", file(0, {-6}, {1}), {"w: its shape or its strides are not whole numbers from 0"}},
      {"negative stride", file(5, {6}, {-1}), {"w: its shape or its strides are not whole numbers from 0"}},
      {"negative offset", file(-1, {6}, {1}), beyond},
      {"fewer strides", file(0, {2, 3}, {1}), {"w: it has 2 dimensions but 1 strides"}},
      {"65 dimensions", file(0, pickle::Extents(65, 1), pickle::Extents(65, 1)), {"w: its shape"}},
      {"repeated numbers",
       file(0, {1 << 30}, {0}),
       {"w: it repeats the 6 numbers of its storage", "contiguous()"}},
      {"one storage for thousands",
       torch_zip(pickle::dict(many), numbers),
       {"the same 6 numbers more than 4 times"}},
      {"a storage of 2^62",
       claiming(pickle::storage("0", huge)),
       {"storage 0 claims", "more than the file can hold"}},
      {"a negative storage",
       claiming(pickle::storage("0", -6)),
       {"storage 0 has a type or size that cannot be"}},
      {"a storage of another size", claiming(pickle::storage("0", 7)), {"data/0 has 24 bytes instead of 28"}},
      {"a storage with more bytes",
       torch_zip(pickle::dict({{"w", pickle::tensor(pickle::storage("0", 5), 0, {5}, {1})}}), numbers),
       {"data/0 has more than the 20 bytes"}},
      {"a storage that is not there",
       claiming(pickle::storage("9", 6)),
       {"the numbers of storage 9 are missing"}},
      {"a storage of two sizes",
       torch_zip(pickle::dict({{"v", pickle::tensor(pickle::storage("0", 5), 0, {5}, {1})},
                               {"w", pickle::tensor(storage, 0, {6}, {1})}}),
                 numbers),
       {"storage 0 is claimed to have two types or sizes"}},
      {"no storage",
       torch_zip(pickle::dict({{"w", pickle::tensor("N", 0, {6}, {1})}}), numbers),
       {"w: its record"}},
      {"an identity that is a text", claiming(pickle::text("0") + "Q"), {"reference to a storage"}},
      {"an identity of other words",
       claiming(pickle::tuple({pickle::text("module"), float_type, zero, zero, six}) + "Q"),
       {"reference to a storage"}},
      {"a key that is a number", claiming(identity(float_type, "K\0"s, six)), {"reference to a storage"}},
      {"a size that is a text", claiming(identity(float_type, zero, zero)), {"reference to a storage"}},
      {"a type that is none", claiming(identity(pickle::global("torch", "Size"), zero, six)), {"torch.Size"}},
      {"a storage in a storage",
       claiming(pickle::tuple({pickle::text("storage"), float_type, zero, zero, six, zero}) + "Q"),
       {"is a view of another one"}},
      {"the same name twice",
       torch_zip(pickle::dict({{"w", pickle::tensor(storage, 0, {6}, {1})},
                               {"module.w", pickle::tensor(storage, 0, {6}, {1})}}),
                 numbers),
       {"two tensors named w"}},
      {"a name for the terminal",
       torch_zip(pickle::dict({{"\x1b]0;w", pickle::tensor(storage, 0, {6}, {1})}}), numbers),
       {"control characters: '?]0;w'"}},
  };
}

std::vector<Hostile> damaged() {
  const std::string state = pickle::dict({{"w", pickle::tensor(pickle::storage("0", 6), 0, {6}, {1})}});
  const auto file = [&](const std::function<void(std::vector<ZipPart>&)>& change) {
    std::vector<ZipPart> parts(2);
    parts[0].name = "a/data.pkl";
    parts[0].content = pickle::whole(state);
    parts[1].name = "a/data/0";
    parts[1].content = std::string(24, '\1');
    change(parts);
    return zip(parts);
  };
  const std::string sound = torch_zip(state, {{"0", std::string(24, '\1')}});
  const std::string old = old_torch_file(state, {{"0", 6, std::string(24, '\1')}});
  const std::vector<std::string> again{"damaged or truncated", "Download or copy it again"};
  return {
      {"wrong CRC of numbers", file([](auto& parts) { parts[1].crc32 = 1; }), {"a/data/0", "CRC"}},
      {"wrong CRC of the pickle", file([](auto& parts) { parts[0].crc32 = 1; }), {"a/data.pkl", "CRC"}},
      {"wrong CRC, deflated",
       file([](auto& parts) {
         parts[1].crc32 = 1;
         parts[1].deflated = true;
       }),
       {"a/data/0", "CRC"}},
      {"truncated", sound.substr(0, sound.size() - 30), again},
      {"truncated at the beginning", sound.substr(0, 60), again},
      {"numbers larger than stated",
       file([](auto& parts) {
         parts[1].bytes = 12;
         parts[1].deflated = true;
       }),
       {"a/data/0"}},
      {"numbers smaller than stated",
       file([](auto& parts) { parts[1].bytes = 4'000'000'000U; }),
       {"damaged"}},
      {"deflate bomb",
       file([](auto& parts) {
         parts[1].content = std::string(200 << 20, '\0');
         parts[1].deflated = true;
         parts[1].bytes = 24;
       }),
       {"a/data/0"}},
      {"deflate bomb with its true size",
       file([](auto& parts) {
         parts[1].content = std::string(200 << 20, '\0');
         parts[1].deflated = true;
       }),
       {"a/data/0 has more than the 24 bytes"}},
      {"entry twice", file([](auto& parts) { parts.push_back(parts[1]); }), {"storage 0 twice"}},
      {"pickle twice",
       file([](auto& parts) {
         parts.push_back(parts[0]);
         parts[2].name = "b/data.pkl";
       }),
       {"two entries named data.pkl"}},
      {"big-endian",
       file([](auto& parts) {
         parts.push_back(parts[0]);
         parts[2].name = "a/byteorder";
         parts[2].content = "big";
       }),
       {"byte order 'big'"}},
      {"another zip", file([](auto& parts) { parts[0].name = "a/photo.jpg"; }), {"no data.pkl"}},
      {"old, truncated numbers", old.substr(0, old.size() - 1), {"truncated in storage 0"}},
      {"old, truncated count", old.substr(0, old.size() - 30), {"truncated in storage 0"}},
      {"old, another count",
       old_torch_file(state, {{"0", 5, std::string(20, '\1')}}),
       {"storage 0 has 5 numbers instead of 6"}},
      {"old, unknown storage",
       old_torch_file(state, {{"1", 6, std::string(24, '\1')}}),
       {"storage 1", "does not mention"}},
      {"old, no storage", old_torch_file(state, {}), {"the numbers of storage 0 are missing"}},
      {"old, a storage twice",
       old_torch_file(state, {{"0", 6, std::string(24, '\1')}, {"0", 6, std::string(24, '\1')}}),
       {"storage 0 twice"}},
      {"old, only the magic number", old.substr(0, 15), {"truncated"}},
      {"nothing known", "weights", {"neither a PyTorch file", "safetensors", ".caffemodel"}},
  };
}

// Tars from before version 0.2: one tensor of a storage of one number.
std::vector<Hostile> tars() {
  const std::string record = pickle::whole(
      pickle::tuple({pickle::integer(1), pickle::integer(2), pickle::global("torch", "FloatTensor")}));
  const auto view = [&](std::uint64_t dimensions, std::uint64_t offset) {
    std::string bytes = pickle::whole(pickle::integer(1)) + record + little_endian(dimensions, 8);
    if (dimensions == 1) bytes += little_endian(1, 8) + little_endian(1, 8) + little_endian(offset, 8);
    return bytes;
  };
  const auto numbers = [](std::uint64_t count, const std::string& type = "FloatStorage") {
    return pickle::whole(pickle::integer(1)) +
           pickle::whole(
               pickle::tuple({pickle::integer(2), pickle::text("cpu"), pickle::global("torch", type)})) +
           little_endian(count, 8) + "1234";
  };
  const auto file = [](const std::string& value, const std::string& tensors, const std::string& storages) {
    return tar({{"pickle", pickle::whole(value)}, {"tensors", tensors}, {"storages", storages}});
  };
  const std::string state = pickle::dict({{"w", pickle::text("1") + "Q"}});
  std::string sixty_four = pickle::whole(pickle::integer(1)) + record + little_endian(64, 8);
  for (int i = 0; i < 128; ++i) sixty_four += little_endian(1, 8);
  return {
      {"call in a tar",
       file(pickle::call("os", "system", ")"), view(1, 0), numbers(1)),
       {"os.system", "refused"}},
      {"tensor that is not there",
       file(pickle::dict({{"w", pickle::text("5") + "Q"}}), view(1, 0), numbers(1)),
       {"tensor 5 is missing"}},
      {"dimensions without end",
       file(state, view(0x7fffffff, 0), numbers(1)),
       {"tensor 1 has 2147483647 dimensions"}},
      {"view beyond", file(state, view(1, 1), numbers(1)), {"w: it reaches beyond the 1 numbers"}},
      {"view of a negative offset",
       file(state, view(1, ~std::uint64_t{0}), numbers(1)),
       {"w: it reaches beyond"}},
      {"numbers beyond the tar",
       file(state, view(1, 0), numbers(1 << 20)),
       {"a member of the tar is truncated"}},
      {"numbers of 2^63",
       file(state, view(1, 0), numbers(std::uint64_t{1} << 63)),
       {"storage 2 has a size that cannot be"}},
      {"numbers of no type",
       file(state, view(1, 0), numbers(1, "ByteTensor")),
       {"unknown type 'torch.ByteTensor'"}},
      {"storages without end",
       file(state, view(1, 0), pickle::whole(pickle::integer(std::int64_t{1} << 62))),
       {"truncated"}},
      {"many references to many dimensions",
       file("(" + repeated(pickle::text("1") + "Q", 200'000) + "t", sixty_four + little_endian(0, 8),
            numbers(1)),
       {"no dictionary of tensors"}},
      {"truncated tar", file(state, view(1, 0), numbers(1)).substr(0, 2000), {"truncated"}},
  };
}

class HostileFile : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileFile, IsRefused) {
  const TemporaryFolder folder;
  write_bytes(folder / "weights.pth", GetParam().bytes);
  const AllocationPeak peak;
  expect_error(ExitCode::bad_data, {(folder / "weights.pth").string()}, [&] {
    try {
      read_foreign(folder / "weights.pth");
    } catch (const Error& error) {
      for (const std::string& word : GetParam().words)
        EXPECT_NE(std::string(error.what()).find(word), std::string::npos)
            << "'" << word << "' is not in: " << error.what();
      throw;
    }
  });
  // The values of a million opcodes; the largest pickle that is looked at.
  EXPECT_LT(peak.bytes(), std::size_t{200} << 20) << GetParam().name;
  RecordProperty("peak", static_cast<int>(peak.bytes() >> 10));
  EXPECT_FALSE(std::filesystem::exists("/tmp/it-was-called"));
}

std::string test_name(const ::testing::TestParamInfo<Hostile>& info) {
  std::string name;
  for (const char c : info.param.name) name.push_back(std::isalnum(static_cast<unsigned char>(c)) ? c : '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Calling, HostileFile, ::testing::ValuesIn(calling()), test_name);
INSTANTIATE_TEST_SUITE_P(Growing, HostileFile, ::testing::ValuesIn(growing()), test_name);
INSTANTIATE_TEST_SUITE_P(Malformed, HostileFile, ::testing::ValuesIn(malformed()), test_name);
INSTANTIATE_TEST_SUITE_P(Views, HostileFile, ::testing::ValuesIn(views()), test_name);
INSTANTIATE_TEST_SUITE_P(Tars, HostileFile, ::testing::ValuesIn(tars()), test_name);
INSTANTIATE_TEST_SUITE_P(Damaged, HostileFile, ::testing::ValuesIn(damaged()), test_name);

}  // namespace
}  // namespace convoy
