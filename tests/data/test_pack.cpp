// Packing with any number of ranks: the bytes of the store are those of a serial writer, an interrupted pack
// is finished by running it again, what does not fit is refused on every rank alike.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "data/hdf5_file.hpp"
#include "data/image_files.hpp"
#include "data/pack.hpp"
#include "data/store_catalogue.hpp"
#include "data/synthesize.hpp"
#include "data/verify.hpp"
#include "support/expect_error.hpp"
#include "support/mpi_test.hpp"
#include "support/shared_folder.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

constexpr int image_side = 16;
constexpr std::uint64_t image_bytes = image_side * image_side * 3;

// Runs on rank 0 while the others wait.
template <typename Work>
void on_rank_zero(Work&& work) {
  world().on_rank_zero([&] {
    work();
    return std::string();
  });
}

Log quiet() {
  return Log(world().rank(), world().size(), true);
}

// Without the files that locks leave.
std::map<std::string, std::string> bytes_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(".lock")) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return files;
}

// The names and contents must be equal; only names are printed when they are not.
void expect_equal(const std::map<std::string, std::string>& a, const std::map<std::string, std::string>& b) {
  for (const auto& [name, bytes] : a) EXPECT_TRUE(b.contains(name) && b.at(name) == bytes) << name;
  EXPECT_EQ(a.size(), b.size());
}

std::string image(int i) {
  Quadrants picture;
  picture.width = 16 + i % 5;
  picture.height = 16 + i % 3;
  picture.colours[0] = {(i * 37) % 256, (i * 11) % 256, (i * 5) % 256};
  return png_bytes(picture);
}

// `images` PNGs in `classes` folders, image i in class i % classes.
void make_folder(const fs::path& folder, int images, int classes) {
  for (int i = 0; i < images; ++i)
    write_file(folder / fmt::format("class{}/{:03}.JPEG", i % classes, i), image(i));
}

PackOptions options_for(const fs::path& source, const fs::path& store) {
  PackOptions options;
  options.source = source;
  options.store = store;
  options.image_size = image_side;
  options.shard_bytes = 8 * image_bytes;
  options.workers = 2;
  return options;
}

SplitReport pack_quietly(const PackOptions& options) {
  return pack(options, world(), quiet()).split;
}

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

// Of each image of 48 × 16 pixels, left half red: `cut` keeps the middle, `warp` all, `pad` all with borders.
TEST(Pack, FitDecidesThePixelsAndIsRecorded) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    Quadrants wide;
    wide.width = 48;
    wide.colours[0] = wide.colours[2] = {200, 0, 0};
    wide.colours[1] = wide.colours[3] = {0, 0, 200};
    for (int i = 0; i < 20; ++i)
      write_file(folder / fmt::format("images/class{}/{:02}.png", i % 2, i), png_bytes(wide));
  });
  std::map<Fit, std::string> fingerprints;
  for (const Fit fit : {Fit::cut, Fit::warp, Fit::pad}) {
    PackOptions options = options_for(folder / "images", folder / std::string(word_of(fit_words(), fit)));
    options.fit = fit;
    fingerprints[fit] = pack_quietly(options).fingerprint;
    on_rank_zero([&] {
      const Store store = parse_store(read_store_text(options.store), options.store);
      EXPECT_EQ(store.fit, fit);
      EXPECT_TRUE(verify_store(store).bad.empty());
      const Hdf5File file(store.folder / store.train->shards[0].file, Hdf5File::Access::read);
      const auto pixels = file.read<std::uint8_t>("/images");
      const int row = fit == Fit::pad ? 5 : 0;  // 48 × 16 becomes 16 × 5, from row 5 on
      for (int x = 0; x < image_side; ++x) {
        const std::uint8_t* pixel = pixels.data() + (row * image_side + x) * 3;
        EXPECT_EQ(pixel[0], x < image_side / 2 ? 200 : 0) << x;
        EXPECT_EQ(pixel[2], x < image_side / 2 ? 0 : 200) << x;
      }
      if (fit == Fit::pad) {
        EXPECT_EQ(pixels[0], 124);
      }
    });
  }
  EXPECT_NE(fingerprints[Fit::cut], fingerprints[Fit::pad]);
}

TEST(Pack, FitsDoNotMixInAStore) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    for (int i = 0; i < 20; ++i) {
      Quadrants picture;
      picture.width = 16 + i;
      write_file(folder / fmt::format("images/class{}/{:02}.png", i % 2, i), png_bytes(picture));
    }
  });
  PackOptions warped = options_for(folder / "images", folder / "store");
  warped.fit = Fit::warp;
  const std::string fingerprint = pack_quietly(warped).fingerprint;
  EXPECT_EQ(pack_quietly(warped).kept_shards, 3);
  PackOptions cut = warped;
  cut.fit = Fit::cut;
  for (const std::string split : {"train", "val"}) {
    cut.split = split;
    expect_error(ExitCode::usage, {"store", "packed with --fit warp, not cut", "use --fit warp"},
                 [&] { pack_quietly(cut); });
  }
  // Shards of an interrupted pack are not taken for those of another fit.
  on_rank_zero([&] { fs::remove(folder / "store/store.json"); });
  cut.split = "train";
  expect_error(ExitCode::usage, {"3 finished shard(s)", "--replace"}, [&] { pack_quietly(cut); });
  cut.replace = true;
  const SplitReport again = pack_quietly(cut);
  EXPECT_EQ(again.kept_shards, 0);
  EXPECT_NE(again.fingerprint, fingerprint);
  cut.store = folder / "fresh";
  EXPECT_EQ(pack_quietly(cut).fingerprint, again.fingerprint);
}

TEST(Pack, LostSourceFileIsAnIoErrorOnEveryRank) {
  const SharedFolder folder(world());
  SplitPlan plan;
  plan.folder = folder / "store";
  plan.split = "train";
  plan.image_size = image_side;
  plan.classes = {{"a", "ant"}, {"b", "bee"}};
  for (int i = 0; i < 12; ++i) {
    plan.names.push_back(fmt::format("a/{:02}", i));
    plan.labels.push_back(i % 2);
  }
  bind_plan(plan, "test");
  const auto produce = [&](std::int64_t position, std::span<std::uint8_t>) {
    if (position == 5) fail(ExitCode::io, "cannot open {}: it is gone", plan.names[5]);
  };
  expect_error(ExitCode::io, {"a/05", "gone"}, [&] { write_split(plan, produce, world(), quiet()); });
}

// What certainly is no image is refused before the first one is packed, or left out.
TEST(Pack, LinksToNothingAndPipesAreRefusedOrLeftOut) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    make_folder(folder / "images", 12, 3);
    fs::create_symlink("nowhere", folder / "images/class0/gone.jpg");
    ASSERT_EQ(::mkfifo((folder / "images/class1/pipe.jpg").c_str(), 0666), 0);
  });
  PackOptions options = options_for(folder / "images", folder / "store");
  expect_error(ExitCode::bad_data,
               {"2 images", "class0/gone.jpg is a symbolic link to nowhere", "class1/pipe.jpg is a FIFO",
                "--skip-bad"},
               [&] { pack_quietly(options); });
  on_rank_zero([&] { EXPECT_FALSE(fs::exists(folder / "store")); });
  options.skip_bad = true;
  const SplitReport report = pack_quietly(options);
  EXPECT_EQ(report.images, 12);
  EXPECT_EQ(report.skipped, 2);
  on_rank_zero([&] {
    const std::string listed = read_text_file(folder / "store/skipped.jsonl");
    EXPECT_NE(listed.find("class0/gone.jpg"), std::string::npos);
    EXPECT_NE(listed.find("FIFO"), std::string::npos);
  });
}

TEST(Pack, FolderTarAndZipMakeTheSameStore) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    make_folder(folder / "images", 24, 3);
    Members members;
    for (int i = 0; i < 24; ++i) members.emplace_back(fmt::format("class{}/{:03}.JPEG", i % 3, i), image(i));
    write_file(folder / "images.tar", tar_bytes(members));
    write_file(folder / "images.zip", zip_bytes(members));
  });
  const std::string expected = pack_quietly(options_for(folder / "images", folder / "a")).fingerprint;
  EXPECT_EQ(pack_quietly(options_for(folder / "images.tar", folder / "b")).fingerprint, expected);
  EXPECT_EQ(pack_quietly(options_for(folder / "images.zip", folder / "c")).fingerprint, expected);
}

TEST(Pack, DamagedMemberOfAZipIsRefusedOrLeftOut) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    Members members;
    for (int i = 0; i < 12; ++i) members.emplace_back(fmt::format("class{}/{:03}.JPEG", i % 3, i), image(i));
    std::string zip = zip_bytes(members, "compression=store");
    const auto place = zip.find(image(7));
    zip[place + image(7).size() / 2] ^= 1;
    write_file(folder / "images.zip", zip);
  });
  PackOptions options = options_for(folder / "images.zip", folder / "store");
  expect_error(ExitCode::bad_data, {"class1/007.JPEG", "CRC-32"}, [&] { pack_quietly(options); });
  options.skip_bad = true;
  EXPECT_EQ(pack_quietly(options).skipped, 1);
}

TEST(Pack, AStoreOfASingleClassWarns) {
  const SharedFolder folder(world());
  on_rank_zero([&] {
    make_folder(folder / "one", 4, 1);
    make_folder(folder / "two", 4, 2);
  });
  const PackReport one = pack(options_for(folder / "one", folder / "a"), world(), quiet());
  ASSERT_EQ(one.warnings.size(), 1U);
  EXPECT_NE(one.warnings[0].find("single class, class0"), std::string::npos) << one.warnings[0];
  EXPECT_TRUE(pack(options_for(folder / "two", folder / "b"), world(), quiet()).warnings.empty());
}

// Real images, as they are found: needs the folder that CONVOY_TEST_DATA names.
TEST(Pack, RealImages) {
  const char* data = std::getenv("CONVOY_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "CONVOY_TEST_DATA does not name the folder of real images";
  const SharedFolder folder(world());
  PackOptions options = options_for(fs::path(data) / "imagenet-sample", folder / "imagenet");
  options.image_size = 64;
  options.shard_bytes = 150 * 64 * 64 * 3;
  const SplitReport sample = pack_quietly(options);
  EXPECT_EQ(sample.images, 467);
  EXPECT_EQ(sample.skipped, 0);
  EXPECT_EQ(sample.shards, 4);
  options = options_for(fs::path(data) / "cifar10/val.tar", folder / "cifar");
  options.image_size = 32;
  options.shard_bytes = 1'000'000'000;
  EXPECT_EQ(pack_quietly(options).images, 5000);
  on_rank_zero([&] {
    const Store store = parse_store(read_store_text(folder / "cifar"), folder / "cifar");
    EXPECT_EQ(store.classes.at(3).id, "cat");
    // CIFAR-10's own mean and spread, as they are published, of its training images: these are 5000 others.
    EXPECT_NEAR(store.statistics->mean[0], 125.3, 2);
    EXPECT_NEAR(store.statistics->std[0], 63.0, 2);
    EXPECT_TRUE(verify_store(store).bad.empty());
  });
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
