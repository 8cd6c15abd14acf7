// Packing with any number of ranks: the bytes of the store are those of a serial writer, an interrupted pack
// is finished by running it again, what does not fit is refused on every rank alike.

#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "data/hdf5_file.hpp"
#include "data/store_catalogue.hpp"
#include "data/synthesize.hpp"
#include "data/verify.hpp"
#include "sources/pack_runs.hpp"
#include "support/expect_error.hpp"
#include "support/shared_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

TEST(Pack, StoreHoldsWhatTheSourceHolds) {
  const SharedFolder folder(world());
  on_rank_zero([&] { make_folder(folder / "images", 30, 3); });
  const SplitReport report = pack_quietly(options_for(folder / "images", folder / "store"));
  EXPECT_EQ(report.images, 30);
  EXPECT_EQ(report.shards, 4);
  on_rank_zero([&] {
    const Store store = parse_store(read_store_text(folder / "store"), folder / "store");
    EXPECT_EQ(store.image_size, image_side);
    ASSERT_EQ(store.classes.size(), 3U);
    EXPECT_EQ(store.classes[2], (ClassEntry{"class2", "class2"}));
    EXPECT_EQ(store.split("train").images, 30);
    EXPECT_EQ(store.fingerprint, report.fingerprint);
    std::map<std::string, int> seen;
    for (const ShardEntry& shard : store.split("train").shards) {
      EXPECT_GT(shard.images_offset, 0U);
      const Hdf5File file(store.folder / shard.file, Hdf5File::Access::read);
      const auto names = file.read_strings("/names");
      const auto labels = file.read<std::int32_t>("/labels");
      const auto pixels = file.read<std::uint8_t>("/images");
      for (std::size_t i = 0; i < names.size(); ++i) {
        const int number = std::stoi(names[i].substr(names[i].find('/') + 1, 3));
        EXPECT_EQ(labels[i], number % 3);
        EXPECT_EQ(pixels[i * image_bytes + 3 * (image_side + 1)], number * 37 % 256) << names[i];
        ++seen[names[i]];
      }
    }
    EXPECT_EQ(seen.size(), 30U);
    const VerifyReport verified = verify_store(store);
    EXPECT_TRUE(verified.bad.empty());
    EXPECT_EQ(verified.fingerprint, report.fingerprint);
  });
}

// The order of images and their labels are part of what a run depends on: another order is another training.
TEST(Pack, OrderAndFingerprintAreFrozen) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    for (const auto& [name, level] :
         {std::pair{"a/1.png", 10}, {"a/2.png", 20}, {"b/1.png", 30}, {"b/2.png", 40}}) {
      Quadrants flat;
      for (Rgb& colour : flat.colours) colour = {level, level, level};
      write_file(folder / "images" / name, png_bytes(flat));
    }
  });
  const SplitReport report = pack_quietly(options_for(folder / "images", folder / "store"));
  EXPECT_EQ(report.fingerprint, "f1c49eee6d9c0af38453c443b04a52a5");
}

// What one process makes without MPI, shard by shard, is what any number of ranks must make.
TEST(Pack, BytesAreThoseOfASerialWriter) {
  const SharedFolder folder(world());
  SplitPlan plan;
  plan.folder = folder / "parallel";
  plan.split = "train";
  plan.image_size = image_side;
  plan.shard_bytes = 5 * image_bytes;
  plan.classes = {{"a", "ant"}, {"b", "bee"}};
  for (int i = 0; i < 33; ++i) {
    plan.names.push_back(fmt::format("x/{:02}", i));
    plan.labels.push_back(i % 2);
  }
  plan.skip_bad = true;
  bind_plan(plan, "test");
  const auto produce = [](std::int64_t position, std::span<std::uint8_t> square) {
    if (position == 7 || position == 21) fail(ExitCode::bad_data, "bad on purpose");
    for (std::size_t i = 0; i < square.size(); ++i) square[i] = static_cast<std::uint8_t>(position * 7 + i);
  };
  plan.workers = 1 + world().rank();
  const SplitReport report = write_split(plan, produce, world(), quiet());
  EXPECT_EQ(report.images, 31);
  EXPECT_EQ(report.skipped, 2);
  on_rank_zero([&] {
    SplitPlan serial = plan;
    serial.folder = folder / "serial";
    serial.workers = 1;
    fs::create_directory(serial.folder);
    PixelSums sums(image_side);
    for (int index = 0; index < serial.shards(); ++index)
      write_shard(serial, index, produce, sums, [](std::int64_t) {});
    write_catalogue(serial, std::nullopt, sums);
    const auto expected = bytes_of(serial.folder);
    EXPECT_EQ(expected.size(), 7U + 3U);  // shards; store.json, mean.h5, skipped.jsonl
    expect_equal(expected, bytes_of(plan.folder));
  });
}

// Both jobs are submitted at once and the validation split is done first.
TEST(Pack, ASplitThatWasPackedMeanwhileStays) {
  const SharedFolder folder(world());
  const auto plan_of = [&](const std::string& split, int images) {
    SplitPlan plan;
    plan.folder = folder / "store";
    plan.split = split;
    plan.image_size = image_side;
    plan.shard_bytes = 5 * image_bytes;
    plan.classes = {{"a", "ant"}, {"b", "bee"}};
    for (int i = 0; i < images; ++i) {
      plan.names.push_back(fmt::format("{}/{:02}", split, i));
      plan.labels.push_back(i % 2);
    }
    bind_plan(plan, "test");
    return plan;
  };
  const auto paint = [](std::int64_t position, std::span<std::uint8_t> square) {
    std::fill(square.begin(), square.end(), static_cast<std::uint8_t>(position));
  };
  // Whoever makes the last image of the training split adds the validation split first.
  const SplitPlan train = plan_of("train", 12), validation = plan_of("val", 7);
  const auto paint_late = [&](std::int64_t position, std::span<std::uint8_t> square) {
    paint(position, square);
    if (position != 11) return;
    PixelSums sums(image_side);
    for (int index = 0; index < validation.shards(); ++index)
      write_shard(validation, index, paint, sums, [](std::int64_t) {});
    write_catalogue(validation, std::nullopt, sums);
  };
  write_split(train, paint_late, world(), quiet());
  on_rank_zero([&] {
    const Store store = parse_store(read_store_text(folder / "store"), folder / "store");
    EXPECT_EQ(store.split("train").images, 12);
    ASSERT_TRUE(store.val) << "the split that was done first is gone";
    EXPECT_EQ(store.val->images, 7);
    const VerifyReport verified = verify_store(store);
    EXPECT_TRUE(verified.bad.empty());
    EXPECT_EQ(verified.fingerprint, store.fingerprint);
  });
}

TEST(Pack, InterruptedPackIsFinishedToTheSameBytes) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    make_folder(folder / "images", 40, 4);
    write_file(folder / "images/class1/bad.jpg", "no image");
  });
  PackOptions options = options_for(folder / "images", folder / "store");
  options.skip_bad = true;
  const SplitReport first = pack_quietly(options);
  EXPECT_EQ(first.skipped, 1);
  std::map<std::string, std::string> whole;
  on_rank_zero([&] {
    const fs::path store = folder / "store";
    whole = bytes_of(store);
    const auto shard = [&](int i) { return store / fmt::format("train-{:05}-of-00006.h5", i); };
    fs::remove(store / "store.json");
    fs::remove(store / "mean.h5");
    fs::remove(shard(0));
    fs::resize_file(shard(1), fs::file_size(shard(1)) / 2);
    std::string flipped = whole.at(shard(2).filename().string());
    flipped[flipped.size() / 2] =
        static_cast<char>(flipped[flipped.size() / 2] ^ 1);  // in the middle of the pixels
    write_file(shard(2), flipped);
    write_file(store / "train-00003-of-00006.h5.partial", "half");
  });
  const SplitReport second = pack_quietly(options);
  EXPECT_EQ(second.kept_shards, 3);
  EXPECT_EQ(second.skipped, 1);
  EXPECT_EQ(second.fingerprint, first.fingerprint);
  on_rank_zero([&] { expect_equal(whole, bytes_of(folder / "store")); });
  EXPECT_EQ(pack_quietly(options).kept_shards, 6);
  on_rank_zero([&] { expect_equal(whole, bytes_of(folder / "store")); });
}

TEST(Pack, BadImagesAreRefusedOnEveryRankByName) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    make_folder(folder / "images", 30, 3);
    write_file(folder / "images/class0/cut.jpg", jpeg_bytes(Quadrants{}).substr(0, 400));
    write_file(folder / "images/class2/page.png", "<html>");
  });
  PackOptions options = options_for(folder / "images", folder / "store");
  expect_error(ExitCode::bad_data, {"class", ": ", "--skip-bad"}, [&] { pack_quietly(options); });
  on_rank_zero([&] {
    EXPECT_FALSE(fs::exists(folder / "store/store.json"));
    for (const auto& [name, bytes] : bytes_of(folder / "store"))
      EXPECT_FALSE(name.ends_with(".partial")) << name;
  });
  options.skip_bad = true;
  const SplitReport report = pack_quietly(options);
  EXPECT_EQ(report.images, 30);
  EXPECT_EQ(report.skipped, 2);
  on_rank_zero([&] {
    std::map<std::string, std::string> listed;
    std::ifstream lines(folder / "store/skipped.jsonl");
    for (std::string line; std::getline(lines, line);) {
      const auto entry = nlohmann::json::parse(line);
      listed[entry["name"]] = entry["reason"];
    }
    EXPECT_EQ(listed.size(), 2U);
    EXPECT_NE(listed["class0/cut.jpg"].find("JPEG"), std::string::npos);
    EXPECT_NE(listed["class2/page.png"].find("HTML"), std::string::npos);
    const Store store = parse_store(read_store_text(folder / "store"), folder / "store");
    EXPECT_TRUE(verify_store(store).bad.empty());
  });
  // Without --skip-bad the shards that leave images out are not good enough.
  options.skip_bad = false;
  expect_error(ExitCode::bad_data, {"--skip-bad"}, [&] { pack_quietly(options); });
}

TEST(Pack, SecondSplitSharesTheClasses) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    make_folder(folder / "train", 20, 4);
    make_folder(folder / "val", 6, 3);     // a subset of the classes
    make_folder(folder / "other", 12, 6);  // more classes
    write_file(folder / "words", "class1 one, first\nclass3 three\n");
  });
  PackOptions train = options_for(folder / "train", folder / "store");
  train.class_names = folder / "words";
  const SplitReport before = pack_quietly(train);
  PackOptions other = options_for(folder / "other", folder / "store");
  other.split = "val";
  expect_error(ExitCode::bad_data, {"class4", "class5", "classes"}, [&] { pack_quietly(other); });
  PackOptions val = options_for(folder / "val", folder / "store");
  val.split = "val";
  const SplitReport after = pack_quietly(val);
  EXPECT_NE(before.fingerprint, after.fingerprint);
  on_rank_zero([&] {
    const Store store = parse_store(read_store_text(folder / "store"), folder / "store");
    EXPECT_EQ(store.split("val").images, 6);
    EXPECT_EQ(store.split("train").images, 20);
    EXPECT_TRUE(store.statistics.has_value());
    EXPECT_EQ(store.classes[1], (ClassEntry{"class1", "one, first"}));
    EXPECT_TRUE(verify_store(store).bad.empty());
  });
  // The same splits in the other order make the same store.
  PackOptions val_first = options_for(folder / "val", folder / "reverse");
  val_first.split = "val";
  on_rank_zero([&] { write_file(folder / "ids", "class0\nclass1\nclass2\nclass3\n"); });
  val_first.class_list = folder / "ids";
  val_first.class_names = folder / "words";
  pack_quietly(val_first);
  PackOptions train_second = options_for(folder / "train", folder / "reverse");
  EXPECT_EQ(pack_quietly(train_second).fingerprint, after.fingerprint);
  on_rank_zero([&] { expect_equal(bytes_of(folder / "store"), bytes_of(folder / "reverse")); });
}

TEST(Pack, WhatDoesNotFitTheStoreIsRefused) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    make_folder(folder / "images", 12, 3);
    make_folder(folder / "more", 15, 3);
    write_file(folder / "loose/1.png", image(1));
    write_file(folder / "ids", "class0\nclass1\n");
  });
  const PackOptions good = options_for(folder / "images", folder / "store");
  pack_quietly(good);
  PackOptions options = good;
  options.image_size = 2 * image_side;
  expect_error(ExitCode::usage, {"16 x 16", "--image-size 16"}, [&] { pack_quietly(options); });
  options = good;
  options.source = folder / "more";
  expect_error(ExitCode::usage, {"already contains a train split"}, [&] { pack_quietly(options); });
  options = good;
  options.class_list = folder / "ids";
  expect_error(ExitCode::usage, {"--class-list"}, [&] { pack_quietly(options); });
  options = good;
  options.source = folder / "loose";
  options.split = "val";
  expect_error(ExitCode::usage, {"1.png", "--labels"}, [&] { pack_quietly(options); });
  options = options_for(folder / "images", folder / "other-store");
  options.class_list = folder / "ids";
  expect_error(ExitCode::bad_data, {"class2"}, [&] { pack_quietly(options); });
  options = good;
  options.split = "test";
  expect_error(ExitCode::usage, {"--split test"}, [&] { pack_quietly(options); });
}
TEST(Synthesize, MakesAWholeStoreAndTheSameAgain) {
  const SharedFolder folder(world());
  SynthesizeOptions options;
  options.store = folder / "store";
  options.images = 60;
  options.val_images = 20;
  options.image_size = 24;
  options.shard_bytes = 20 * 24 * 24 * 3;
  const SynthesizeReport first = synthesize(options, world(), quiet());
  EXPECT_EQ(first.train.images, 60);
  EXPECT_EQ(first.val.images, 20);
  EXPECT_EQ(synthesize(options, world(), quiet()).train.kept_shards, 3);
  on_rank_zero([&] {
    const Store store = parse_store(read_store_text(options.store), options.store);
    EXPECT_EQ(store.classes.size(), 10U);
    EXPECT_TRUE(verify_store(store).bad.empty());
  });
  options.seed = 2;
  expect_error(ExitCode::usage, {"already contains"}, [&] { synthesize(options, world(), quiet()); });
  options.store = folder / "second";
  EXPECT_NE(synthesize(options, world(), quiet()).val.fingerprint, first.val.fingerprint);
  options.classes = 1;
  expect_error(ExitCode::usage, {"--classes 1"}, [&] { synthesize(options, world(), quiet()); });
}

}  // namespace
}  // namespace convoy::test
