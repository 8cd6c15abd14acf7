#include "sources/pack.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"
#include "cli/commands.hpp"

namespace convoy {
namespace {

class PackCommand : public Command {
 public:
  std::string_view name() const override { return "pack"; }
  std::string_view summary() const override { return "build a store from images as distributed"; }
  std::string_view description() const override {
    return R"(Builds one split of a store from a folder of class folders, a tar or zip of class folders, a folder in one of
them (set.zip/images/val), the ILSVRC2012 tars as distributed, or CIFAR-10's binary batches. Archives are read
in place. The type of SOURCE is detected from its content.
Each image becomes a square as --fit says: `cut` scales the shorter side to the side of the store and keeps
the centre, `warp` scales both sides (as Caffe's ImageNet was prepared), `pad` scales the longer side and
fills the borders with ImageNet's mean colour. Both splits take the same. Ranks share the work; run an
interrupted pack again to complete it. Pack the training split first: its folder names are the classes,
sorted (by value if all are whole numbers); label i is the class at position i, from 0.

LABELS for images outside class folders, detected from the content:
  * the ILSVRC2012 development kit, as tar.gz or unpacked (ground truth in order of file names)
  * a name and a class per line, in any order: LOC_val_solution.csv, Caffe's val.txt, val_annotations.txt,
    CSV with or without header. Separators: comma, semicolon, tab, blank. Names: with or without folders and
    extension. Classes: ids, or numbers that count the store's classes from 0
  * one class id per line, for the images in order of their file names)";
  }
  std::string_view example() const override {
    return R"(  launch/local pack ILSVRC2012_img_train.tar /data/imagenet --split train --class-names words.txt
  launch/local pack ILSVRC2012_img_val.tar /data/imagenet --split val --labels ILSVRC2012_devkit_t12.tar.gz
  launch/local pack imagenet.zip/ILSVRC/Data/CLS-LOC/train /data/imagenet --split train
  launch/local pack imagenet.zip/ILSVRC/Data/CLS-LOC/val /data/imagenet --split val --labels LOC_val_solution.csv
  launch/local pack photos/train /data/photos --split train --skip-bad)";
  }

  void declare(OptionTable& table) override {
    table.positional("SOURCE", "image folder, tar or zip, ILSVRC2012 tar or folder of CIFAR-10 batches",
                     source_, true, false);
    table.positional("STORE", "folder of the store, created if it does not exist", store_, true, false);
    table.group("What");
    table.add_word<std::string>("split", "the split to build", options_.split,
                                {{"train", "train"}, {"val", "val"}});
    table.add_integer("image-size", "side of the stored squares", options_.image_size, 8, 4096);
    table.add_word("fit", "how an image becomes a square", options_.fit, fit_words());
    table.add("shard-bytes", "SIZE", "approximate size of a shard [1GB]",
              [this](const std::string& value) { options_.shard_bytes = parse_bytes(value); });
    table.add_flag("skip-bad", "leave out images that cannot be used and list them in skipped.jsonl",
                   options_.skip_bad);
    table.add_flag("replace",
                   "discard this split if the store has it from another source or with other options",
                   options_.replace);
    table.group("Classes");
    add_path(table, "labels", "classes of images outside class folders, see LABELS above", options_.labels);
    add_path(table, "class-list",
             "classes in label order, one id per line, instead of the sorted folder names",
             options_.class_list);
    add_path(table, "class-names",
             "names of the classes: lines such as n01440764 tench, CSV (id,name), or the ILSVRC2012 devkit",
             options_.class_names);
    table.group("Machine");
    table.add_integer("workers", "threads of each rank; 0: its share of the cores", options_.workers, 0,
                      1024);
  }

  ExitCode run(RankContext& context) override {
    options_.source = source_[0];
    options_.store = store_[0];
    const Stopwatch watch;
    const PackReport report = pack(options_, context.communicator, context.log);
    if (context.communicator.rank() == 0) print(report, watch.seconds());
    return ExitCode::done;
  }

 private:
  static void add_path(OptionTable& table, const std::string& name, const std::string& help,
                       std::filesystem::path& target) {
    table.add(name, "FILE", help, [&target](const std::string& value) { target = value; });
  }

  void print(const PackReport& report, double seconds) const {
    const SplitReport& split = report.split;
    fmt::print("{}: {} images of {} classes from {} in {} shard(s), {:.1f} s ({:.0f} images/s)\n",
               options_.store.string(), split.images, report.classes, report.kind, split.shards, seconds,
               static_cast<double>(split.images) / std::max(seconds, 1e-9));
    if (split.kept_shards > 0) fmt::print("{} shard(s) of an earlier pack were kept\n", split.kept_shards);
    if (report.ignored > 0) fmt::print("{} file(s) that are not images were ignored\n", report.ignored);
    if (split.skipped > 0)
      fmt::print("{} bad image(s) left out: see {}\n", split.skipped,
                 (options_.store / "skipped.jsonl").string());
    fmt::print("fingerprint {}\n", split.fingerprint);
  }

  std::vector<std::string> source_, store_;
  PackOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_pack_command() {
  return std::make_unique<PackCommand>();
}

}  // namespace convoy
