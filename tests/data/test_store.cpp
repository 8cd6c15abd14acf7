#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/crc32c.hpp"
#include "data/fingerprint.hpp"
#include "data/hdf5_file.hpp"
#include "data/small_store.hpp"
#include "data/store.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::expect_error;
using test::TemporaryFolder;

// A sound store.json to spoil.
json sound_json() {
  return json::parse(R"({
    "format": "convoy-store", "version": 1, "image_size": 4,
    "classes": [{"id": "n01", "name": "tench"}, {"id": "n02", "name": "goldfish"}],
    "splits": {
      "train": {"images": 30, "shards": [
        {"file": "train-00000-of-00002.h5", "images": 20, "bytes": 5000,
         "offsets": {"images": 2048, "labels": 3008, "crc32c": 3088}},
        {"file": "train-00001-of-00002.h5", "images": 10, "bytes": 3000}]},
      "val": {"images": 0, "shards": []}},
    "statistics": {"mean": [1, 2, 3.5], "std": [4, 5, 6], "pca_values": [9, 8, 7],
      "pca_vectors": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
    "fingerprint": "0123456789abcdef0123456789abcdef"})");
}

TEST(ParseStore, ReadsEveryField) {
  const Store store = parse_store(sound_json().dump(), "/stores/x");
  EXPECT_EQ(store.folder, "/stores/x");
  EXPECT_EQ(store.image_size, 4);
  EXPECT_EQ(store.classes, (std::vector<ClassEntry>{{"n01", "tench"}, {"n02", "goldfish"}}));
  ASSERT_TRUE(store.train && store.val && store.statistics);
  EXPECT_EQ(store.train->images, 30);
  ASSERT_EQ(store.train->shards.size(), 2U);
  EXPECT_EQ(store.train->shards[0].file, "train-00000-of-00002.h5");
  EXPECT_EQ(store.train->shards[0].images, 20);
  EXPECT_EQ(store.train->shards[0].bytes, 5000U);
  EXPECT_EQ(store.train->shards[0].images_offset, 2048U);
  EXPECT_EQ(store.train->shards[0].labels_offset, 3008U);
  EXPECT_EQ(store.train->shards[0].crc32c_offset, 3088U);
  EXPECT_EQ(store.train->shards[1].images_offset, 0U);
  EXPECT_EQ(store.statistics->mean[2], 3.5);
  EXPECT_EQ(store.statistics->std[0], 4);
  EXPECT_EQ(store.statistics->pca_values[1], 8);
  EXPECT_EQ(store.statistics->pca_vectors[2][2], 1);
  EXPECT_EQ(store.fingerprint, "0123456789abcdef0123456789abcdef");
}

TEST(ParseStore, MaySplitOrStatisticsBeAbsent) {
  json spoilt = sound_json();
  spoilt["splits"].erase("train");
  spoilt.erase("statistics");
  spoilt["from_the_future"] = 5;  // keys may be added
  const Store store = parse_store(spoilt.dump(), "x");
  EXPECT_FALSE(store.train);
  EXPECT_TRUE(store.val);
  EXPECT_FALSE(store.statistics);
}

// A store from before there was a choice says nothing of it.
TEST(ParseStore, FitIsCutUnlessItIsNamed) {
  json described = sound_json();
  EXPECT_EQ(parse_store(described.dump(), "x").fit, Fit::cut);
  for (const Fit fit : {Fit::cut, Fit::warp, Fit::pad}) {
    described["fit"] = word_of(fit_words(), fit);
    const Store store = parse_store(described.dump(), "x");
    EXPECT_EQ(store.fit, fit);
    EXPECT_EQ(json::parse(store_to_json(store))["fit"], described["fit"]);
  }
}

TEST(StoreToJson, RoundTripsExactly) {
  const TemporaryFolder folder;
  Store store = test::write_small_store(folder / "store");
  store.statistics->mean[0] = 0.1 + 0.2;
  store.classes[0].name = "quote \" backslash \\ newline \n ünï";
  const std::string text = store_to_json(store);
  const Store again = parse_store(text, store.folder);
  EXPECT_EQ(store_to_json(again), text);
  EXPECT_EQ(again.statistics->mean[0], 0.1 + 0.2);
  EXPECT_EQ(again.classes, store.classes);
  store.statistics.reset();
  store.val.reset();
  EXPECT_EQ(store_to_json(parse_store(store_to_json(store), "x")), store_to_json(store));
}

TEST(StoreToJson, RefusesTextThatIsNotUtf8) {
  Store store = parse_store(sound_json().dump(), "/stores/x");
  store.classes[1].name = "caf\xe9";
  expect_error(ExitCode::bad_data, {"/stores/x", "UTF-8"}, [&] { store_to_json(store); });
}

struct Spoiling {
  const char* pointer;            // what is changed
  const char* value;              // its new value; empty: removed
  std::vector<std::string> says;  // parts of the message
};

// Every fault is refused with the file, the place and what was expected there.
TEST(ParseStore, NamesEveryFault) {
  const std::vector<Spoiling> spoilings = {
      {"/format", "\"other\"", {"not a Convoy store"}},
      {"/format", "", {"not a Convoy store"}},
      {"/version", "2", {"version 2", "reads version 1"}},
      {"/version", "", {"'version' is missing"}},
      {"/image_size", "0", {"image_size", "is 0", "from 1"}},
      {"/image_size", "1.5", {"image_size", "is 1.5"}},
      {"/image_size", "-3", {"image_size", "is -3"}},
      {"/image_size", "\"big\"", {"image_size", "is \"big\""}},
      {"/image_size", "18446744073709551615", {"image_size"}},
      {"/image_size", "[[1]]", {"image_size", "is array"}},
      {"/fit", "\"squash\"", {"fit", "squash", "cut, warp or pad"}},
      {"/fit", "3", {"fit", "number, expected text"}},
      {"/classes", "[]", {"classes", "no classes"}},
      {"/classes", "{}", {"classes", "object, expected a list"}},
      {"/classes/1", "7", {"classes[1]", "number, expected an object"}},
      {"/classes/1/name", "", {"classes[1]", "'name' is missing"}},
      {"/classes/1/id", "null", {"classes[1].id", "null, expected text"}},
      {"/classes/1/id", "\"n01\"", {"classes[1]", "'n01' occurs twice"}},
      {"/splits", "", {"'splits' is missing"}},
      {"/splits", "{}", {"splits", "neither train nor val"}},
      {"/splits", "[]", {"splits", "expected an object"}},
      {"/splits/test", "{}", {"'test' is not a split"}},
      {"/splits/train/images", "31", {"splits.train", "has 31 images, but its shards contain 30"}},
      {"/splits/train/shards", "", {"splits.train", "'shards' is missing"}},
      {"/splits/train/shards/1/images", "-1", {"splits.train.shards[1].images", "-1"}},
      {"/splits/train/shards/1/images", "4294967296", {"splits.train.shards[1].images"}},
      {"/splits/train/shards/1/bytes", "true", {"splits.train.shards[1].bytes", "true"}},
      {"/splits/train/shards/1/file", "\"\"", {"splits.train.shards[1].file"}},
      {"/splits/train/shards/1/file", "\"../x.h5\"", {"shards[1].file", "'../x.h5'"}},
      {"/splits/train/shards/1/file", "\"/etc/x.h5\"", {"shards[1].file"}},
      {"/splits/train/shards/1/file", "\"..\"", {"shards[1].file"}},
      {"/splits/train/shards/1/file", "\"train-00000-of-00002.h5\"", {"shards[1]", "occurs twice"}},
      // 20 images of 48 bytes at 4048 end at 5008.
      {"/splits/train/shards/0/offsets/images", "4048", {"shards[0].offsets.images", "5000 bytes"}},
      {"/splits/train/shards/0/offsets/images", "9223372036854775807", {"shards[0].offsets.images"}},
      {"/splits/train/shards/0/offsets/labels", "-4", {"shards[0].offsets.labels", "-4"}},
      {"/splits/train/shards/0/offsets", "[]", {"shards[0].offsets", "expected an object"}},
      {"/statistics/mean", "[1, 2]", {"statistics.mean", "has 2 values, expected 3"}},
      {"/statistics/mean/1", "null", {"statistics.mean[1]", "null, expected a number"}},
      {"/statistics/pca_vectors/2", "[1]", {"statistics.pca_vectors[2]", "has 1 values"}},
      {"/statistics/std", "", {"statistics", "'std' is missing"}},
      {"/fingerprint", "", {"'fingerprint' is missing"}},
      {"/fingerprint", "12", {"fingerprint", "expected text"}},
  };
  for (const Spoiling& spoiling : spoilings) {
    SCOPED_TRACE(std::string(spoiling.pointer) + " = " + spoiling.value);
    json spoilt = sound_json();
    const json::json_pointer pointer(spoiling.pointer);
    if (*spoiling.value == '\0')
      spoilt[pointer.parent_pointer()].erase(pointer.back());
    else
      spoilt[pointer] = json::parse(spoiling.value);
    expect_error(ExitCode::bad_data, {"/stores/x/store.json"},
                 [&] { parse_store(spoilt.dump(), "/stores/x"); });
    for (const std::string& part : spoiling.says)
      expect_error(ExitCode::bad_data, {part}, [&] { parse_store(spoilt.dump(), "/stores/x"); });
  }
}

// The message must not write down a value with a level of the stack for each of its levels.
TEST(ParseStore, SurvivesAHundredThousandLevels) {
  constexpr std::size_t levels = 100'000;
  json spoilt = sound_json();
  std::string text = spoilt.dump();
  const std::string place = "\"version\":1";
  ASSERT_NE(text.find(place), std::string::npos);
  text.replace(text.find(place), place.size(),
               "\"version\":" + std::string(levels, '[') + std::string(levels, ']'));
  expect_error(ExitCode::bad_data, {"version", "is array"}, [&] { parse_store(text, "/stores/x"); });
}

TEST(ParseStore, RefusesWhatIsNotJson) {
  expect_error(ExitCode::bad_data, {"x/store.json", "not JSON"}, [] { parse_store("", "x"); });
  const std::string text = sound_json().dump();
  expect_error(ExitCode::bad_data, {"not JSON"}, [&] { parse_store(text.substr(0, text.size() / 2), "x"); });
  expect_error(ExitCode::bad_data, {"not a Convoy store"}, [] { parse_store("[1, 2]", "x"); });
  expect_error(ExitCode::bad_data, {"not a Convoy store"}, [] { parse_store("null", "x"); });
}

TEST(StoreSplit, NamesTheSplitsThereAre) {
  Store store = parse_store(sound_json().dump(), "/stores/x");
  EXPECT_EQ(store.split("train").images, 30);
  EXPECT_EQ(store.split("val").images, 0);
  expect_error(ExitCode::usage, {"'test'", "train and val"}, [&] { store.split("test"); });
  store.val.reset();
  expect_error(ExitCode::usage, {"/stores/x", "'val'", "it has train"}, [&] { store.split("val"); });
}

TEST(ReadStoreText, NamesTheCommandsThatMakeAStore) {
  const TemporaryFolder folder;
  expect_error(ExitCode::io, {"absent", "convoy pack"}, [&] { read_store_text(folder / "absent"); });
  std::ofstream(folder / "train.tar").flush();
  expect_error(ExitCode::usage, {"train.tar", "is a file", "convoy pack"},
               [&] { read_store_text(folder / "train.tar"); });
  fs::create_directory(folder / "empty");
  expect_error(ExitCode::usage, {"empty", "no store.json", "convoy pack"},
               [&] { read_store_text(folder / "empty"); });
  fs::create_directories(folder / "imagenet" / "train" / "n01440764");
  std::ofstream(folder / "imagenet" / "train" / "n01440764" / "x.JPEG").flush();
  expect_error(ExitCode::usage, {"folder of images", "convoy pack"},
               [&] { read_store_text(folder / "imagenet"); });
  fs::create_directory(folder / "half");
  std::ofstream(folder / "half" / "train-00000-of-00002.h5").flush();
  expect_error(ExitCode::bad_data, {"half", "interrupted"}, [&] { read_store_text(folder / "half"); });
}

TEST(ReadStoreText, ReadsTheStore) {
  const TemporaryFolder folder;
  const Store written = test::write_small_store(folder / "store");
  const Store read = parse_store(read_store_text(folder / "store"), folder / "store");
  EXPECT_EQ(store_to_json(read), store_to_json(written));
}

TEST(ReadMeanImage, ChecksShapeAndValues) {
  const TemporaryFolder folder;
  Store store = test::write_small_store(folder / "store");
  EXPECT_EQ(read_mean_image(store), std::vector<float>(3 * 8 * 8, 110.5F));
  store.image_size = 9;
  expect_error(ExitCode::bad_data, {"mean.h5", "9"}, [&] { read_mean_image(store); });
  store.image_size = 2;
  {
    Hdf5File file(folder / "store" / "mean.h5", Hdf5File::Access::create);
    file.write<float>("/mean", std::vector<float>(12, std::numeric_limits<float>::quiet_NaN()), {3, 2, 2});
    file.close();
  }
  expect_error(ExitCode::bad_data, {"mean.h5", "not finite"}, [&] { read_mean_image(store); });
  fs::remove(folder / "store" / "mean.h5");
  expect_error(ExitCode::io, {"mean.h5", "No such file"}, [&] { read_mean_image(store); });
}

TEST(ClassesChecksum, CoversIdsNamesAndTheirBorders) {
  const auto of = [](std::string_view bytes) {
    return crc32c(std::as_bytes(std::span(bytes.data(), bytes.size())));
  };
  EXPECT_EQ(classes_checksum({{"n01", "tench"}, {"n02", "fish"}}), of({"n01\0tench\0n02\0fish\0", 19}));
  EXPECT_NE(classes_checksum({{"a", "bc"}}), classes_checksum({{"ab", "c"}}));
  EXPECT_NE(classes_checksum({{"a", "b"}, {"c", "d"}}), classes_checksum({{"c", "d"}, {"a", "b"}}));
}

// The values are those of xxHash's one-shot function on the definition's bytes written out by hand.
TEST(Fingerprint, HashesTheBytesOfItsDefinition) {
  Fingerprint empty;
  EXPECT_EQ(empty.text(), "99aa06d3014798d86001c324468d497f");  // XXH3-128 of nothing, seed 0
  Fingerprint one, two;
  one.add_image("a.jpg", 258, 0x01020304);
  two.add_image("a.jpg", 258, 0x01020305);
  EXPECT_NE(one.text(), two.text());
  const std::vector<ClassEntry> classes = {{"n1", "x"}};
  one.add_classes(classes);
  EXPECT_EQ(one.text(), "7e84bb381fbf1a2ec7a0dcb6a03db1df");
}

}  // namespace
}  // namespace convoy
