#include "data/verify.hpp"

#include <fmt/format.h>

#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "comm/gather.hpp"
#include "data/shared_store.hpp"

namespace convoy {
namespace {

constexpr std::size_t most_printed = 100;  // bad records; a completely damaged store would fill the screen

// A rank's findings, as sent to the others.
struct Findings {
  std::int64_t images = 0;
  std::vector<std::string> bad;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Findings, images, bad)

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
fingerprint. Reports each bad record and exits with code 65 if there is any. Ranks share the images.)";
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
    Stopwatch since;
    const VerifyProgress progress = [&](std::int64_t done, std::int64_t total) {
      if (since.seconds() < 5) return;
      since.restart();
      context.log.info("{} of {} images{}", done, total, communicator.size() > 1 ? " of this rank" : "");
    };
    const VerifyReport report = verify_store(store, communicator.rank(), communicator.size(), progress);
    Findings mine{.images = report.images, .bad = {}};
    for (const BadRecord& bad : report.bad) mine.bad.push_back(text_of(bad));
    return conclude(store, gather(communicator, mine), communicator.rank() == 0);
  }

 private:
  // Every rank counts; rank 0 prints.
  static ExitCode conclude(const Store& store, const std::vector<Findings>& findings, bool prints) {
    std::int64_t images = 0;
    std::size_t bad = 0;
    for (const Findings& of_rank : findings) {
      images += of_rank.images;
      for (const std::string& record : of_rank.bad)
        if (++bad <= most_printed && prints) fmt::print("bad: {}\n", record);
    }
    if (!prints) return bad == 0 ? ExitCode::done : ExitCode::bad_data;
    if (bad > most_printed) fmt::print("… and {} more\n", bad - most_printed);
    if (bad == 0)
      fmt::print("{}: {} images are valid; fingerprint {}\n", store.folder.string(), images,
                 store.fingerprint);
    else
      fmt::print("{}: {} images read, {} bad record(s): pack the store again from its source\n",
                 store.folder.string(), images, bad);
    return bad == 0 ? ExitCode::done : ExitCode::bad_data;
  }

  std::vector<std::string> store_;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() {
  return std::make_unique<VerifyCommand>();
}

}  // namespace convoy
