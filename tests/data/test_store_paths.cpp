// A store may come from a stranger: nothing in it makes Convoy read or write outside its folder.

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.hpp"
#include "data/export_images.hpp"
#include "data/shard_reader.hpp"
#include "data/small_store.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

TEST(StorePaths, ShardThatIsALinkOutOfTheFolderIsRefused) {
  const TemporaryFolder folder;
  const Store store = write_small_store(folder / "store");
  const fs::path shard = store.folder / store.train->shards[0].file;
  fs::rename(shard, folder / "elsewhere.h5");
  for (const fs::path& target : {folder / "elsewhere.h5", fs::path("../elsewhere.h5")}) {
    fs::remove(shard);
    fs::create_symlink(target, shard);
    const ShardReader reader(store, "train");
    expect_error(ExitCode::bad_data, {shard.string(), "symbolic link", (folder / "elsewhere.h5").string()},
                 [&] { reader.tables(0); });
    std::vector<std::uint8_t> image(8 * 8 * 3);
    std::int32_t label = 0;
    const std::uint32_t id = 0;
    expect_error(ExitCode::bad_data, {"symbolic link"}, [&] { reader.read({&id, 1}, image, {&label, 1}); });
  }
}

TEST(StorePaths, LinksWithinTheFolderAndToTheFolderAreFine) {
  const TemporaryFolder folder;
  Store store = write_small_store(folder / "store");
  const fs::path shard = store.folder / store.train->shards[0].file;
  fs::create_directory(store.folder / "deeper");
  fs::rename(shard, store.folder / "deeper" / "one.h5");
  fs::create_symlink("deeper/one.h5", shard);
  fs::create_directory_symlink(store.folder, folder / "link");
  store.folder = folder / "link";
  EXPECT_EQ(ShardReader(store, "train").tables(0).labels.size(), 7U);
}

TEST(StorePaths, ExportedImagesStayInTheirFolder) {
  const TemporaryFolder folder;
  Store store = write_small_store(folder / "store");
  store.classes[0].id = "../../out";
  store.classes[1].id = folder.path().string() + "/absolute";
  for (int i = 2; i < 5; ++i) store.classes[i].id = "a/b" + std::to_string(i);
  EXPECT_EQ(export_images(store, "val", 5, folder / "deep/deeper"), 5);
  std::int64_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path()))
    if (entry.path().extension() == ".png") {
      EXPECT_EQ(entry.path().parent_path(), folder / "deep/deeper");
      ++files;
    }
  EXPECT_EQ(files, 5);
}

}  // namespace
}  // namespace convoy::test
