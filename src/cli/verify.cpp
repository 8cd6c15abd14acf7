#include "data/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/progress_meter.hpp"
#include "cli/commands.hpp"
#include "comm/gather.hpp"
#include "data/shared_store.hpp"

namespace convoy {
namespace {

constexpr std::size_t most_printed = 100;  // bad records; a completely damaged store would fill the screen

// A rank's findings, as sent to the others.
struct Findings {
  std::int64_t images = 0;
  std::vector<std::string> bad, unreadable;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Findings, images, bad, unreadable)

std::string text_of(const BadRecord& bad) {
  std::string text = bad.file.empty() ? "store" : bad.file;
  if (bad.index >= 0) text += fmt::format(" image {}", bad.index);
  if (!bad.name.empty()) text += fmt::format(" ({})", bad.name);
  return text + ": " + bad.reason;
}

class VerifyCommand : public Command {
 public:
  std::string_view name() const override { return "verify"; }
  std::string_view summary() const override { return "check every image of a store"; }
  std::string_view description() const override {
    return R"(Reads a whole store and verifies every image's checksum, every shard's size, attributes and counts, and the
fingerprint. Reports each bad record and exits with code 65 if there is any, with code 74 if the system refuses to
read a file. Ranks share the images.)";
  }
  std::string_view example() const override {
    return "  convoy verify /data/imagenet\n  launch/local verify /data/imagenet";
  }

  void declare(OptionTable& table) override {
    table.positional("STORE", "the folder with store.json", store_, true, false);
  }

  ExitCode run(RankContext& context) override {
    Communicator& communicator = context.communicator;
    const Store store = open_store(store_[0], communicator);
    const std::int64_t images = (store.train ? store.train->images : 0) + (store.val ? store.val->images : 0);
    std::optional<ProgressMeter> meter(std::in_place, context.log, "verify", images);
    const VerifyProgress progress = [&](std::int64_t done, std::int64_t) {
      meter->show(std::min(images, done * communicator.size()), communicator.size() > 1);
    };
    const VerifyReport report = verify_store(store, communicator.rank(), communicator.size(), progress);
    meter.reset();
    Findings mine{.images = report.images, .bad = {}, .unreadable = {}};
    for (const BadRecord& bad : report.bad)
      (bad.unreadable ? mine.unreadable : mine.bad).push_back(text_of(bad));
    return conclude(store, gather(communicator, mine), communicator.rank() == 0);
  }

 private:
  // Every rank counts; rank 0 prints.
  static ExitCode conclude(const Store& store, const std::vector<Findings>& findings, bool prints) {
    std::int64_t images = 0;
    for (const Findings& of_rank : findings) images += of_rank.images;
    const std::size_t unreadable = list(findings, &Findings::unreadable, "unreadable", prints);
    const std::size_t bad = list(findings, &Findings::bad, "bad", prints);
    if (prints) print_summary(store, images, bad, unreadable);
    return unreadable > 0 ? ExitCode::io : bad > 0 ? ExitCode::bad_data : ExitCode::done;
  }

  // Prints the first findings of one kind; returns how many there are.
  static std::size_t list(const std::vector<Findings>& findings, std::vector<std::string> Findings::*kind,
                          std::string_view word, bool prints) {
    std::size_t count = 0;
    for (const Findings& of_rank : findings)
      for (const std::string& record : of_rank.*kind)
        if (++count <= most_printed && prints) fmt::print("{}: {}\n", word, record);
    if (prints && count > most_printed) fmt::print("… and {} more\n", count - most_printed);
    return count;
  }

  static void print_summary(const Store& store, std::int64_t images, std::size_t bad,
                            std::size_t unreadable) {
    const std::string folder = store.folder.string();
    if (unreadable > 0)
      fmt::print(
          "{}: {} images read, {} bad record(s), {} file(s) or image(s) could not be read: the rest is "
          "unknown\n",
          folder, images, bad, unreadable);
    else if (bad > 0)
      fmt::print("{}: {} images read, {} bad record(s): pack the store again from its source\n", folder,
                 images, bad);
    else
      fmt::print("{}: {} images are valid; fingerprint {}\n", folder, images, store.fingerprint);
  }

  std::vector<std::string> store_;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() {
  return std::make_unique<VerifyCommand>();
}

}  // namespace convoy
