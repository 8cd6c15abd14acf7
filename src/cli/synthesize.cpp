#include "data/synthesize.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "data/export_images.hpp"
#include "data/store.hpp"

namespace convoy {
namespace {

class SynthesizeCommand : public Command {
 public:
  std::string_view name() const override { return "synthesize"; }
  std::string_view summary() const override { return "generate a store of synthetic images for experiments"; }
  std::string_view description() const override {
    return R"(Generates a complete store without any data set: classes of textured shapes, a pure function of the seed.
For the quickstart, for tests and for speed measurements at any size. Ranks share the work; run an
interrupted command again with the same options to complete it.)";
  }
  std::string_view example() const override {
    return "  convoy synthesize runs/shapes --classes 10 --images 4000 --val-images 1000 --image-size 72\n"
           "  launch/local synthesize /scratch/big --classes 1000 --images 100000 --image-size 256";
  }

  void declare(OptionTable& table) override {
    table.positional("STORE", "folder of the store, created if it does not exist", store_, true, false);
    table.group("What");
    table.add_integer("images", "number of training images", options_.images, 1);
    table.add_integer("val-images", "number of validation images; 0: no validation split",
                      options_.val_images, 0);
    table.add_integer("classes", "number of classes", options_.classes, 2, 1000);
    table.add_integer("image-size", "side of the stored squares", options_.image_size, 8, 4096);
    table.add_integer("seed", "seed of the images", options_.seed);
    table.add("shard-bytes", "SIZE", "approximate size of a shard [100MB]",
              [this](const std::string& value) { options_.shard_bytes = parse_bytes(value); });
    table.add_flag("replace", "discard splits that the store has with other options", options_.replace);
    table.add_text("export", "FOLDER",
                   "also write validation images to this folder as PNG files named by class", export_folder_);
    table.add_integer("export-images", "number of images to export", export_images_, 1);
    table.group("Machine");
    table.add_integer("workers", "threads of each rank; 0: its share of the cores", options_.workers, 0,
                      1024);
  }

  void check(const OptionTable&) override {
    if (!export_folder_.empty() && options_.val_images == 0)
      fail(ExitCode::usage, "--export writes validation images, but --val-images is 0");
  }

  ExitCode run(RankContext& context) override {
    Communicator& communicator = context.communicator;
    options_.store = store_[0];
    const Stopwatch watch;
    const SynthesizeReport report = synthesize(options_, communicator, context.log);
    communicator.on_rank_zero([&] {
      fmt::print("{}: {} training and {} validation images of {} classes, {:.1f} s; fingerprint {}\n",
                 store_[0], report.train.images, report.val.images, options_.classes, watch.seconds(),
                 options_.val_images > 0 ? report.val.fingerprint : report.train.fingerprint);
      if (!export_folder_.empty()) {
        const Store store = parse_store(read_store_text(store_[0]), store_[0]);
        fmt::print("{}: {} PNG files\n", export_folder_,
                   export_images(store, "val", export_images_, export_folder_));
      }
      return std::string();
    });
    return ExitCode::done;
  }

 private:
  std::vector<std::string> store_;
  SynthesizeOptions options_;
  std::string export_folder_;
  std::int64_t export_images_ = 10;
};

}  // namespace

std::unique_ptr<Command> make_synthesize_command() {
  return std::make_unique<SynthesizeCommand>();
}

}  // namespace convoy
