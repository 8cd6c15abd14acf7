#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <set>

#include "base/atomic_file.hpp"
#include "data/hdf5_file.hpp"
#include "data/small_store.hpp"
#include "data/verify.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

// Every part's faults as text, sorted: the same for any number of parts.
std::vector<std::string> faults(const Store& store, int parts) {
  std::vector<std::string> result;
  std::int64_t images = 0;
  for (int part = 0; part < parts; ++part) {
    const VerifyReport report = verify_store(store, part, parts);
    images += report.images;
    for (const BadRecord& record : report.bad)
      result.push_back(
          fmt::format("{}|{}|{}|{}|{}", record.split, record.file, record.index, record.name, record.reason));
  }
  std::ranges::sort(result);
  return result;
}

TEST(VerifyStore, PassesASoundStore) {
  const TemporaryFolder folder;
  for (const bool chunked : {false, true}) {
    test::SmallStoreOptions options;
    options.chunked = chunked;
    options.train_shards = {7, 0, 1, 12};
    const Store store = test::write_small_store(folder / (chunked ? "chunked" : "plain"), options);
    const VerifyReport report = verify_store(store);
    EXPECT_EQ(report.images, 25);
    EXPECT_TRUE(report.bad.empty()) << report.bad.front().reason;
    EXPECT_EQ(report.fingerprint, store.fingerprint);
    for (const int parts : {2, 3, 7, 40}) EXPECT_TRUE(faults(store, parts).empty());
  }
}

// The same images in other shards have the same fingerprint.
TEST(VerifyStore, FingerprintDoesNotDependOnShards) {
  const TemporaryFolder folder;
  test::SmallStoreOptions options;
  const Store many = test::write_small_store(folder / "many", options);
  options.train_shards = {20};
  const Store one = test::write_small_store(folder / "one", options);
  EXPECT_EQ(many.fingerprint, one.fingerprint);
  EXPECT_EQ(verify_store(one).fingerprint, verify_store(many).fingerprint);
  options.train_shards = {19};
  EXPECT_NE(test::write_small_store(folder / "fewer", options).fingerprint, one.fingerprint);
}

TEST(VerifyStore, NamesEveryDamagedImage) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  const auto damage = [&](const ShardEntry& shard, std::uint64_t image, std::uint64_t byte) {
    test::damage_byte(folder / "store" / shard.file, shard.images_offset + image * 192 + byte);
  };
  damage(store.train->shards[0], 0, 0);
  damage(store.train->shards[2], 11, 191);
  damage(store.train->shards[2], 5, 100);
  damage(store.val->shards[0], 4, 3);

  const VerifyReport report = verify_store(store);
  EXPECT_EQ(report.images, 25);
  ASSERT_EQ(report.bad.size(), 4U);
  EXPECT_EQ(report.bad[0].split, "train");
  EXPECT_EQ(report.bad[0].file, store.train->shards[0].file);
  EXPECT_EQ(report.bad[0].index, 0);
  EXPECT_EQ(report.bad[0].name, test::small_name("train", 0));
  EXPECT_NE(report.bad[0].reason.find("checksum"), std::string::npos);
  EXPECT_EQ(report.bad[1].name, test::small_name("train", 8 + 5));
  EXPECT_EQ(report.bad[2].name, test::small_name("train", 8 + 11));
  EXPECT_EQ(report.bad[3].split, "val");
  EXPECT_EQ(report.bad[3].name, test::small_name("val", 4));
  EXPECT_EQ(report.fingerprint, store.fingerprint) << "the metadata are sound";
  for (const int parts : {2, 3, 4, 30}) EXPECT_EQ(faults(store, parts), faults(store, 1)) << parts;
}

// Each of these spoils the store in one way; verify must say so, once, and go on with the rest.
TEST(VerifyStore, NamesFilesThatAreWrongAsAWhole) {
  const TemporaryFolder folder;
  const auto spoil = [&](const std::string& name, auto action, std::size_t least_faults,
                         const std::string& reason) {
    Store store = test::write_small_store(folder / name);
    action(store);
    const auto found = faults(store, 1);
    EXPECT_GE(found.size(), least_faults) << name;
    EXPECT_TRUE(std::ranges::any_of(
        found, [&](const std::string& fault) { return fault.find(reason) != std::string::npos; }))
        << name << ": " << (found.empty() ? "nothing" : found.front());
    for (const int parts : {2, 5}) EXPECT_EQ(faults(store, parts), found) << name;
  };
  spoil(
      "missing", [](Store& s) { fs::remove(s.folder / s.train->shards[1].file); }, 1, "No such file");
  spoil(
      "cut", [](Store& s) { fs::resize_file(s.folder / s.train->shards[2].file, 1000); }, 1, "truncated");
  spoil(
      "mean", [](Store& s) { fs::remove(s.folder / "mean.h5"); }, 1, "mean.h5");
  spoil(
      "statistics", [](Store& s) { s.statistics.reset(); }, 1, "no statistics");
  spoil(
      "classes", [](Store& s) { s.classes[0].name = "other"; }, 4, "other classes");
  spoil(
      "fingerprint", [](Store& s) { s.fingerprint[0] = s.fingerprint[0] == '0' ? '1' : '0'; }, 1,
      "fingerprint");
  spoil(
      "offset", [](Store& s) { s.val->shards[0].images_offset += 1; }, 1, "store.json says");
  spoil(
      "crc",
      [](Store& s) {
        const fs::path file = s.folder / s.train->shards[0].file;
        const std::uint64_t offset =
            Hdf5File(file, Hdf5File::Access::read).contiguous_offset<std::uint32_t>("/crc32c");
        test::damage_byte(file, offset + 8);
      },
      2, "checksum");  // the image and the fingerprint
}

// A limit on open files stands for any refusal of the system: it says nothing about the shard.
TEST(VerifyStore, TellsUnreadableFilesFromBadOnes) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  fs::remove(store.folder / store.val->shards[0].file);
  const VerifyReport report = verify_store(store);
  ASSERT_EQ(report.bad.size(), 1U);
  EXPECT_FALSE(report.bad[0].unreadable) << report.bad[0].reason;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const VerifyReport refused = verify_store(store);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(refused.bad.empty());
  for (const BadRecord& record : refused.bad)
    EXPECT_EQ(record.unreadable, record.file != store.val->shards[0].file) << record.file << record.reason;
}

TEST(VerifyStore, TellsItsProgress) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  std::int64_t last = 0, total = 0;
  verify_store(store, 0, 1, [&](std::int64_t done, std::int64_t all) {
    EXPECT_GT(done, last);
    last = done;
    total = all;
  });
  EXPECT_EQ(last, 25);
  EXPECT_EQ(total, 25);
}

// A byte changed anywhere in a shard is noticed, or lies where nothing is stored; never a crash.
TEST(VerifyStore, SurvivesDamageAnywhere) {
  const TemporaryFolder folder;
  test::SmallStoreOptions options;
  options.train_shards = {3};
  options.val_shards.clear();
  options.image_size = 3;
  const Store store = test::write_small_store(folder / "store", options);
  const fs::path file = store.folder / store.train->shards[0].file;
  const std::string sound = read_text_file(file);
  std::size_t noticed = 0, tried = 0;
  for (std::uint64_t at = 0; at < sound.size(); at += 11, ++tried) {
    test::damage_byte(file, at);
    noticed += !verify_store(store).bad.empty();
    test::damage_byte(file, at);
  }
  EXPECT_EQ(read_text_file(file), sound);
  EXPECT_TRUE(verify_store(store).bad.empty());
  EXPECT_GT(noticed, 0U);
  // All of the pixels are covered.
  for (std::uint64_t at = 0; at < 3 * 27; ++at) {
    test::damage_byte(file, store.train->shards[0].images_offset + at);
    EXPECT_EQ(verify_store(store).bad.size(), 1U) << "byte " << at;
    test::damage_byte(file, store.train->shards[0].images_offset + at);
  }
}

}  // namespace
}  // namespace convoy
