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
  std::string_view summary() const override { return "make a store of drawn images, to try things out"; }
  std::string_view description() const override {
    return "Makes a whole store without any data set: classes of textured shapes, drawn as a pure function "
           "of the seed.\n"
           "For the quickstart, for tests and for measuring speed at any size. Ranks share the work; run it "
           "again with\n"
           "the same options to finish an interrupted one.";
  }
  std::string_view example() const override {
    return "  convoy synthesize runs/shapes --classes 10 --images 4000 --val-images 1000 --image-size 72\n"
           "  launch/local synthesize /scratch/big --classes 1000 --images 100000 --image-size 256";
  }

  void declare(OptionTable& table) override {
    table.positional("STORE", "folder of the store, made when it is not there", store_, true, false);
    table.group("What");
    table.add_integer("images", "training images", options_.images, 1);
    table.add_integer("val-images", "validation images; 0: no such split", options_.val_images, 0);
    table.add_integer("classes", "classes", options_.classes, 1, 1000);
    table.add_integer("image-size", "side of the squares", options_.image_size, 8, 4096);
    table.add_integer("seed", "seed of everything drawn", options_.seed, 0);
    table.add("shard-bytes", "SIZE", "about how large a shard becomes [100MB]",
              [this](const std::string& value) { options_.shard_bytes = parse_bytes(value); });
    table.add_text("export", "FOLDER",
                   "also write validation images there as PNG files, named after their class",
                   export_folder_);
    table.add_integer("export-images", "how many of them", export_images_, 1);
    table.group("Machine");
    table.add_integer("workers", "threads of each rank; 0: its share of the cores", options_.workers, 0,
                      1024);
  }

  void check(const OptionTable&) override {
    if (!export_folder_.empty() && options_.val_images == 0)
      fail(ExitCode::usage, "--export: validation images are written, and --val-images 0 makes none");
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
