// Packing of each kind of source, what it does with flaws, and how images become squares.

#include <cstdlib>
#include <new>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "data/hdf5_file.hpp"
#include "data/store_writer.hpp"
#include "data/verify.hpp"
#include "sources/pack_runs.hpp"
#include "support/expect_error.hpp"
#include "support/shared_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

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
  // The same for what the standard library throws.
  const auto unreadable = [&](std::int64_t position, std::span<std::uint8_t>) {
    if (position == 5)
      throw fs::filesystem_error("cannot read", "nowhere", std::make_error_code(std::errc::io_error));
  };
  expect_error(ExitCode::io, {"nowhere"}, [&] { write_split(plan, unreadable, world(), quiet()); });
  const auto too_large = [&](std::int64_t position, std::span<std::uint8_t>) {
    if (position == 5) throw std::bad_alloc();
  };
  expect_error(ExitCode::device, {"out of memory", "--workers"},
               [&] { write_split(plan, too_large, world(), quiet()); });
}

// Items that cannot be images are refused before the first image is packed, or left out.
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
}  // namespace
}  // namespace convoy::test
