// The part of benchmarks/scaling/run that computes and draws.
//
//   benchmark_scaling_page plan DIR --ranks 1,2,4 --mode both --models alexnet …
//       writes DIR/plan.json and prints the stores and points that it needs, a line each, in columns
//       separated by tabs:  store NAME SIDE CLASSES IMAGES  and  point NAME MODEL PRECISION DATA RANKS
//       GLOBAL-BATCH
//   benchmark_scaling_page schedule POINT --seconds N
//       chooses how long a point runs, from POINT/probe.jsonl; writes POINT/schedule.json and prints STEPS
//       LOG-EVERY
//   benchmark_scaling_page check POINT REPEAT.jsonl
//       prints the speed of a repeat; fails unless it can be evaluated
//   benchmark_scaling_page page DIR
//       writes scaling.json, scaling.csv, throughput.svg, steps.svg, both as PNG, and scaling.md into DIR
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "base/atomic_file.hpp"
#include "model/networks.hpp"
#include "page_text.hpp"
#include "plots.hpp"
#include "settings/values.hpp"

namespace {

using namespace convoy;
using namespace convoy::scaling;

// Calls `read` for each part of an option's list; its errors name the option.
template <typename Read>
void read_list(const char* option, const std::string& text, const Read& read) {
  try {
    for (const std::string& word : benchmark::split_list(text)) read(word);
  } catch (const Error& error) {
    fail(ExitCode::usage, "--{}: {}", option, error.what());
  }
}

// Ascending, without repetitions.
std::vector<int> rank_counts(const std::string& text) {
  std::vector<int> ranks;
  read_list("ranks", text, [&](const std::string& word) {
    ranks.push_back(static_cast<int>(parse_integer(word, 1, 1'000'000)));
  });
  std::ranges::sort(ranks);
  const auto repeated = std::ranges::unique(ranks);
  ranks.erase(repeated.begin(), repeated.end());
  return ranks;
}

struct PlanArguments {
  std::string folder, ranks, mode = "weak", models = "alexnet", precisions = "fp32", batches = "128";
  std::int64_t global_batch = 0;
  std::vector<std::string> stores;
};

PlanOptions options_of(const PlanArguments& arguments) {
  PlanOptions options;
  options.ranks = rank_counts(arguments.ranks);
  if (arguments.mode != "weak" && arguments.mode != "strong" && arguments.mode != "both")
    fail(ExitCode::usage, "--mode {}: use weak, strong or both", arguments.mode);
  options.weak = arguments.mode != "strong";
  options.strong = arguments.mode != "weak";
  options.models = benchmark::split_list(arguments.models);
  read_list("precision", arguments.precisions, [&](const std::string& word) {
    parse_word(word, precision_words());
    options.precisions.push_back(word);
  });
  read_list("batch", arguments.batches,
            [&](const std::string& word) { options.batches.push_back(parse_integer(word, 1, 1'000'000)); });
  options.global_batch = arguments.global_batch;
  options.stores = arguments.stores;
  return options;
}

void print_plan(const Plan& plan) {
  std::vector<std::string> stores;
  for (const Point& point : plan.points) {
    if (point.data != "drawn") continue;
    const DrawnStore store = drawn_store(plan, point.model);
    if (std::ranges::find(stores, store.name) != stores.end()) continue;
    stores.push_back(store.name);
    fmt::print("store\t{}\t{}\t{}\t{}\n", store.name, store.side, store.classes, store.images);
  }
  for (const Point& point : plan.points) {
    const std::string data = point.data == "drawn" ? drawn_store(plan, point.model).name : point.data;
    fmt::print("point\t{}\t{}\t{}\t{}\t{}\t{}\n", point.name, point.model, point.precision, data, point.ranks,
               point.global_batch);
  }
}

void make_plan_file(int argc, char** argv) {
  namespace po = boost::program_options;
  PlanArguments arguments;
  po::options_description options("benchmark_scaling_page plan DIR: which runs a benchmark consists of");
  options.add_options()("folder", po::value(&arguments.folder)->required(), "DIR")          //
      ("ranks", po::value(&arguments.ranks)->required(), "1,2,4")                           //
      ("mode", po::value(&arguments.mode), "weak, strong or both")                          //
      ("models", po::value(&arguments.models), "networks")                                  //
      ("precision", po::value(&arguments.precisions), "fp32, tf32, bf16, fp16")             //
      ("batch", po::value(&arguments.batches), "of a rank")                                 //
      ("global-batch", po::value(&arguments.global_batch), "strong scaling: of all ranks")  //
      ("data", po::value(&arguments.stores), "a store, beside drawn images; may be repeated");
  if (!benchmark::read_arguments(options, argc, argv)) return;
  const Plan plan = make_plan(options_of(arguments));
  Json json = {{"machine", machine_facts()}};
  json.update(plan_to_json(plan));
  // A folder's name may be in another encoding than JSON's.
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  write_file_atomically(std::filesystem::path(arguments.folder) / "plan.json", text);
  print_plan(plan);
}

void make_schedule(const std::filesystem::path& point, const std::string& seconds) {
  const Schedule schedule =
      choose_schedule(point / "probe.jsonl", parse_real(seconds, {.least = 0.01, .most = 1e6}));
  write_file_atomically(point / "schedule.json", schedule.to_json().dump() + "\n");
  fmt::print("{} {}\n", schedule.steps, schedule.log_every);
}

void check_repeat(const std::filesystem::path& point, const std::filesystem::path& metrics) {
  const Json schedule = Json::parse(read_text_file(point / "schedule.json"), nullptr, false);
  if (!schedule.is_object()) fail(ExitCode::bad_data, "{}/schedule.json is damaged", point.string());
  const Repeat repeat = read_repeat(metrics, Schedule::from_json(schedule));
  fmt::print("{:.6g} images/s, {:.3f} ms a step\n", repeat.images_per_second, repeat.step_seconds * 1e3);
}

void make_page(const std::filesystem::path& folder) {
  constexpr int pixels = 2;  // of a PNG for each of the SVG's
  const Results results = gather_results(folder);
  write_file_atomically(folder / "scaling.json", results_to_json(results).dump(1) + "\n");
  write_file_atomically(folder / "scaling.csv", results_to_csv(results));
  for (const auto& [name, figure] :
       {std::pair{"throughput", throughput_plot(results)}, {"steps", step_plot(results)}}) {
    write_file_atomically(folder / (std::string(name) + ".svg"), svg_text(figure));
    write_png(folder / (std::string(name) + ".png"), drawn(figure, pixels));
  }
  write_file_atomically(folder / "scaling.md", page_text(results));
}

void run(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  const bool has_folder = argc > 2 && argv[2][0] != '-';
  if (verb == "plan" && has_folder) {
    std::vector<char*> words = {argv[1]};
    std::string folder = std::string("--folder=") + argv[2];
    words.push_back(folder.data());
    words.insert(words.end(), argv + 3, argv + argc);
    make_plan_file(static_cast<int>(words.size()), words.data());
  } else if (verb == "schedule" && argc == 5 && std::string_view(argv[3]) == "--seconds") {
    make_schedule(argv[2], argv[4]);
  } else if (verb == "check" && argc == 4) {
    check_repeat(argv[2], argv[3]);
  } else if (verb == "page" && argc == 3) {
    make_page(argv[2]);
  } else {
    fail(ExitCode::usage,
         "usage: benchmark_scaling_page plan DIR --ranks LIST [--mode weak|strong|both] [--models LIST]\n"
         "                                   [--precision LIST] [--batch LIST] [--global-batch N] [--data "
         "STORE]\n"
         "       benchmark_scaling_page schedule POINT --seconds N\n"
         "       benchmark_scaling_page check POINT REPEAT.jsonl\n"
         "       benchmark_scaling_page page DIR");
  }
}

}  // namespace

int main(int argc, char** argv) {
  return benchmark::report_errors([&] { run(argc, argv); });
}
