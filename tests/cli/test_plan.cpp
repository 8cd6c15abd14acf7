// `convoy plan` through the real program, and what it says against a real run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

using Json = nlohmann::json;

const std::string program = CONVOY_PROGRAM;

Outcome plan(std::vector<std::string> options) {
  options.insert(options.begin(), {program, "plan"});
  return run(options);
}

Json planned(const TemporaryFolder& folder, std::vector<std::string> options) {
  const std::string file = folder / "plan.json";
  options.insert(options.end(), {"--json", file});
  const Outcome outcome = plan(options);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.code == 0 ? Json::parse(read_file(file)) : Json();
}

TEST(Plan, NeedsNeitherDataNorGpus) {
  const Outcome outcome = plan({"--config", "owt", "--device", "cuda", "--precision", "bf16", "--ranks",
                                "8,64", "--bandwidth", "400Gb/s", "--node-bandwidth", "360GB/s",
                                "--images-per-second", "48836", "--time-limit", "2:00:00"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part :
       {"# alexnet-owt", "## Schedule", "0–29", "0.0001", "## Memory", "optimiser's state",
        "parameters in 16 bits", "not known without the device", "## Buckets", "fc6", "## Bytes of a step",
        "## Prediction", "efficiency", "sbatch --nodes=8 --ntasks-per-node=8", "--time=02:00:00",
        "--config owt", "--data STORE"})
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
  EXPECT_EQ(outcome.out.find("--images-per-second 48836 "), std::string::npos) << "no option of convoy train";
}

// A run of one rank: its checkpoint's size, its steps, and its own speed as the calibration.
TEST(Plan, SaysWhatARealRunDoes) {
  const TemporaryFolder folder;
  const std::string store = folder / "store", output = folder / "run";
  make_tiny_store(program, store);
  std::vector<std::string> training =
      tiny_training(program, store, output, {"--epochs", "3", "--log-every", "1", "--keep", "0"});
  const Outcome trained = run(training);
  ASSERT_EQ(trained.code, 0) << trained.err;
  std::vector<std::string> options(training.begin() + 2, training.end());  // behind "convoy train"
  options.insert(options.end(), {"--calibrate", output});
  const Json json = planned(folder, options);

  double largest = 0;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(output + "/checkpoints"))
    if (entry.path().extension() == ".h5" && !entry.is_symlink()) {
      largest = std::max(largest, static_cast<double>(entry.file_size()));
      ++files;
    }
  EXPECT_NEAR(json["checkpoint"]["bytes"].get<double>(), largest, 0.01 * largest);
  EXPECT_EQ(json["checkpoint"]["kept"].get<std::size_t>(), files);
  EXPECT_EQ(json["schedule"]["steps"], 12);
  EXPECT_EQ(json["schedule"]["evaluations"], 3);
  const Json& step = json["ranks"][0]["step"];
  EXPECT_GT(step["seconds"].get<double>(), 0);
  EXPECT_EQ(step["exposed"].get<double>(), 0);
  double bytes = 0;
  for (const Json& bucket : json["buckets"]) bytes += bucket["bytes"].get<double>();
  EXPECT_GE(bytes, json["parameters"].get<double>() * 4);

  // Memory is what the run says of itself.
  const Outcome told =
      run(tiny_training(program, store, folder / "told", {"--steps", "1", "--log-level", "debug"}));
  const double activations =
      json["ranks"][0]["memory"]["device"]["activations, their gradients, scratch"].get<double>();
  EXPECT_NE(told.err.find(fmt::format("activations, their gradients, scratch {:.1f} MB", activations / 1e6)),
            std::string::npos)
      << activations << "\n"
      << told.err;
}

TEST(Plan, RefusesWhatCannotBe) {
  const auto refused = [](int code, const std::vector<std::string>& parts,
                          const std::vector<std::string>& options) {
    const Outcome outcome = plan(options);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    for (const std::string& part : parts) EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  };
  refused(64, {"--ranks", "ascend"}, {"--ranks", "4,2"});
  refused(64, {"--global-batch 128", "256 ranks"}, {"--ranks", "256"});
  refused(64, {"--ranks 12", "--ranks-per-node 8"}, {"--ranks", "12", "--ranks-per-node", "8"});
  refused(64, {"--bandwidth", "400Gb/s"}, {"--bandwidth", "fast"});
  refused(64, {"--time-limit"}, {"--time-limit", "soon"});
  refused(64, {"--algorithm", "two-level"}, {"--algorithm", "star"});
  refused(64, {"lr.conv9"}, {"--lr.conv9", "x2"});
  refused(74, {"nowhere"}, {"--calibrate", "/nowhere/step.json"});
  refused(74, {"nowhere"}, {"--data", "/nowhere"});
  refused(64, {"--json", "no folder"}, {"--json", "/nowhere/plan.json"});
}

TEST(Plan, TakesSeveralMeasurements) {
  const TemporaryFolder folder;
  const auto step = [&](const std::string& name, int batch, double seconds) {
    const std::string path = folder / name;
    std::ofstream(path) << Json{
        {"benchmark", "step"},
        {"version", 1},
        {"model", "alexnet-mini"},
        {"precision", "fp32"},
        {"batch", batch},
        {"threads", 1},
        {"cores", 2},
        {"device", "cpu"},
        {"seconds",
         {{"input", 0.0},
          {"forward", seconds},
          {"backward", 2 * seconds},
          {"update", 0.0}}}}.dump();
    return path;
  };
  const std::vector<std::string> options = {
      "--model",     "alexnet-mini",     "--global-batch", "32",          "--ranks",
      "1,2",         "--node-bandwidth", "1GB/s",          "--calibrate", step("a", 8, 0.03),
      "--calibrate", step("b", 32, 0.09)};
  const Json json = planned(folder, options);
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_NEAR(json["ranks"][0]["step"]["forward"].get<double>(), 0.09, 1e-9);
  EXPECT_NEAR(json["ranks"][1]["step"]["forward"].get<double>(), 0.05, 1e-9);
  EXPECT_GT(json["ranks"][1]["step"]["exposed"].get<double>(), 0);
}

// One rank on each node: the links between nodes are enough, with a remark on Convoy's own sums.
TEST(Plan, OneRankOnEachNodeNeedsNoNodeBandwidth) {
  const auto planned_with = [](const std::vector<std::string>& more) {
    std::vector<std::string> options = {
        "--model",  "alexnet-mini", "--global-batch", "32",   "--ranks", "2", "--images-per-second", "100",
        "--device", "cpu",          "--bandwidth",    "1Gb/s"};
    options.insert(options.end(), more.begin(), more.end());
    const Outcome outcome = plan(options);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  const std::string remark = "without the cores' work in sums", missing = "links in a node is not known";
  const std::string apart = planned_with({"--ranks-per-node", "1"});
  EXPECT_NE(apart.find("| 2     |     2 |"), std::string::npos) << apart;
  EXPECT_NE(apart.find(remark), std::string::npos) << apart;
  EXPECT_EQ(apart.find(missing), std::string::npos) << apart;
  EXPECT_EQ(planned_with({"--ranks-per-node", "1", "--node-bandwidth", "1GB/s"}).find(remark),
            std::string::npos);
  const std::string together = planned_with({"--ranks-per-node", "2"});
  EXPECT_NE(together.find(missing), std::string::npos) << together;
}

}  // namespace
}  // namespace convoy::test
