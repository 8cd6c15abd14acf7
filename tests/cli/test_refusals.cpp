// What the program refuses, through the real binary: the exit code and what the message says.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

void expect_refused(const Outcome& outcome, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  for (const std::string& part : parts)
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << "\n" << outcome.err;
}

// One store and one checkpoint for all tests of this file.
class Refusals : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    make_tiny_store(program, *folder_ / "store");
    const Outcome trained = run(tiny_training(program, store(), *folder_ / "run", {"--steps", "1"}));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string store() { return *folder_ / "store"; }
  static std::string checkpoint() { return *folder_ / "run" / "checkpoints" / "latest"; }
  static std::string place(const std::string& name) { return *folder_ / name; }
  static Outcome train(const std::vector<std::string>& more) {
    return run(tiny_training(program, store(), fresh_output(), more));
  }
  // A folder of its own for each run: one that holds a run is refused.
  static std::string fresh_output() {
    static int count = 0;
    return place("refused-" + std::to_string(++count));
  }
  // A copy of the store to damage.
  static std::filesystem::path copy_of_store(const std::string& name) {
    const std::filesystem::path copy = place(name);
    std::filesystem::copy(store(), copy, std::filesystem::copy_options::recursive);
    return copy;
  }
  static std::filesystem::path first_shard(const std::filesystem::path& folder, const std::string& split) {
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().filename().string().rfind(split + "-00000", 0) == 0) return entry.path();
    return {};
  }

 private:
  inline static std::unique_ptr<TemporaryFolder> folder_;
};

void flip_byte(const std::filesystem::path& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ 0x40);
  file.seekp(at);
  file.put(byte);
}

TEST_F(Refusals, OptionsThatDoNotExist) {
  expect_refused(train({"--epoch", "3"}), 64, {"no option --epoch", "did you mean --epochs?"});
  expect_refused(train({"--frobnicate"}), 64, {"no option --frobnicate", "convoy train --help"});
}

TEST_F(Refusals, OptionsOfOtherPrograms) {
  const std::pair<std::vector<std::string>, std::string> habits[] = {
      {{"--batch-size", "256"}, "--global-batch"},  {{"-b", "256"}, "--global-batch"},
      {{"--start-epoch", "3"}, "--resume"},         {{"--solver", "solver.prototxt"}, "--config"},
      {{"-solver", "solver.prototxt"}, "--config"}, {{"-j", "4"}, "--workers"},
      {{"--arch", "alexnet"}, "--model"},           {{"--pretrained"}, "--weights"},
      {{"--world-size", "4"}, "launch/local"},
  };
  for (const auto& [typed, ours] : habits) expect_refused(train(typed), 64, {"no option " + typed[0], ours});
}

TEST_F(Refusals, ValuesNameOptionValueAndWhatIsAccepted) {
  expect_refused(train({"--lr", "fast"}), 64, {"--lr", "'fast'", "0.01"});
  expect_refused(train({"--optimizer", "rmsprop"}), 64, {"--optimizer", "'rmsprop'", "sgd, sgd-caffe, adam"});
  expect_refused(train({"--model", "alexnet-ovt"}), 64, {"--model", "alexnet-owt"});
  expect_refused(train({"--augment", "flip"}), 64, {"--augment", "flip", "mirror"});
  expect_refused(train({"--evaluate-every", "500"}), 64, {"--evaluate-every", "500steps"});
  expect_refused(train({"--lr.conv9", "x2"}), 64, {"lr.conv9", "conv1"});
  expect_refused(train({"--precision", "fp16"}), 64, {"--precision", "fp16"});
  expect_refused(train({"--weights", ""}), 64, {"--weights", "empty"});
  expect_refused(train({"--resume", ""}), 64, {"--resume", "empty"});
  expect_refused(run({program, "verify", ""}), 64, {"STORE is empty"});
  expect_refused(train({"--resume", "nowhere"}), 64, {"--resume nowhere", "auto"});
}

TEST_F(Refusals, OptionsOfGpusOnACpu) {
  expect_refused(train({"--device", "cpu", "--collective", "nccl"}), 64,
                 {"--collective nccl", "with --device cpu", "use auto or mpi"});
  expect_refused(train({"--device", "cpu", "--wire-precision", "bf16"}), 64,
                 {"--wire-precision bf16", "use fp32"});
  expect_refused(train({"--device", "cpu", "--cuda-graph", "on"}), 64,
                 {"--cuda-graph on", "use auto or off"});
  expect_refused(train({"--cuda-graph", "yes"}), 64, {"'yes' is not one of auto, on, off"});
}

// Larger than what the random counters and the arithmetic of steps can hold.
TEST_F(Refusals, NumbersBeyondCounting) {
  expect_refused(train({"--global-batch", "9223372036854775807"}), 64, {"--global-batch", "2147483647"});
  expect_refused(train({"--epochs", "1e300"}), 64, {"--epochs", "'1e300'"});
  expect_refused(train({"--checkpoint-every", "9223372036854775807epochs"}), 64, {"--checkpoint-every"});
  expect_refused(train({"--watchdog-seconds", "1e300"}), 64, {"--watchdog-seconds"});
  expect_refused(train({"--seed", "18446744073709551616"}), 64, {"--seed", "from 0 to 18446744073709551615"});
  expect_refused(train({"--seed", "-1"}), 64, {"--seed", "from 0 to 18446744073709551615"});
  expect_refused(train({"--epochs", "99999999999999999999"}), 64, {"--epochs", "from 0 to 1000000000"});
  expect_refused(train({"--log-every", "9223372036854775808"}), 64, {"from 1 to 9223372036854775807"});
  for (const char* steps : {"1e3", "0x10", "-2", "99999999999999999999"})
    expect_refused(train({"--steps", steps}), 64, {"--steps", "from -1 to 1000000000000"});
  for (const char* rate : {"1e999", "nan", "inf", "0x1p-3"})
    expect_refused(train({"--lr", rate}), 64, {"--lr", rate, "is not a rate"});
  expect_refused(train({"--adam-epsilon", "1e300"}), 64, {"--adam-epsilon", "'1e300'", "3e+38"});
  for (const char* rate : {"1e39", "-0.1", "0.1, 5:1e39"})
    expect_refused(train({"--lr", rate}), 64, {"--lr", rate, "must lie from 0 to 3.4e+38"});
}

TEST_F(Refusals, TheLargestSeedIsASeed) {
  const std::string output = fresh_output();
  const std::string largest = "18446744073709551615";
  EXPECT_EQ(run(tiny_training(program, store(), output, {"--seed", largest, "--steps", "1"})).code, 0);
  EXPECT_NE(read_file(output + "/run.json").find("\"seed\": \"" + largest + "\""), std::string::npos);
  const auto resumed =
      tiny_training(program, store(), output, {"--seed", largest, "--steps", "2", "--resume", "auto"});
  EXPECT_EQ(run(resumed).code, 0) << "the checkpoint holds it";
  EXPECT_EQ(run({program, "synthesize", place("seeded"), "--images", "2", "--val-images", "0", "--classes",
                 "2", "--image-size", "8", "--seed", largest})
                .code,
            0);
}

TEST_F(Refusals, AFolderIsNoCheckpoint) {
  expect_refused(run({program, "evaluate", "--checkpoint", place("run"), "--data", store()}), 64,
                 {"is a folder", "run/checkpoints/latest"});
  expect_refused(run({program, "predict", "--checkpoint", place("run") + "/checkpoints", "x.png"}), 64,
                 {"is a folder", "run/checkpoints/latest"});
}

TEST_F(Refusals, ConfigurationFilesAreNamedWithTheLine) {
  const std::string file = place("mine.cfg");
  std::ofstream(file) << "# mine\nlr = 0.1\nbatch_size = 4\n";
  expect_refused(train({"--config", file}), 64, {"mine.cfg:3", "--global-batch"});
  expect_refused(train({"--config", place("absent.cfg")}), 74, {"absent.cfg", "No such file"});
}

// As editors on Windows store them.
TEST_F(Refusals, ConfigurationFilesWithMarks) {
  const std::string file = place("marked.cfg"), output = fresh_output();
  std::ofstream(file) << "\xEF\xBB\xBFsteps = 1\r\n\r\n# a run\r\noutput = " << output
                      << "#1 # the first\r\n";
  std::vector<std::string> command = tiny_training(program, store(), output, {"--config", file});
  command.erase(std::find(command.begin(), command.end(), "--output"), command.begin() + 8);
  EXPECT_EQ(run(command).code, 0) << run(command).err;
  EXPECT_TRUE(std::filesystem::exists(output + "#1/checkpoints/step-000000001.h5"));
  std::ofstream(file) << std::string("\xFF\xFEl\0r\0", 6);
  expect_refused(train({"--config", file}), 65, {"--config", "marked.cfg", "UTF-16", "save it as UTF-8"});
}

TEST_F(Refusals, AFolderOfImagesIsNoStore) {
  const std::filesystem::path images = place("photos");
  std::filesystem::create_directories(images / "cats");
  std::ofstream(images / "cats" / "one.jpg") << "not looked at";
  expect_refused(train({"--data", images}), 64, {"photos", "convoy pack"});
  expect_refused(run({program, "evaluate", "--checkpoint", checkpoint(), "--data", images}), 64,
                 {"convoy pack"});
}

TEST_F(Refusals, AClassThatStoreJsonCannotHold) {
  const std::filesystem::path images = place("not-utf8");
  std::filesystem::create_directories(images / "\xff");
  std::ofstream(images / "\xff" / "one.jpg") << "not looked at";
  expect_refused(run({program, "pack", images, place("new")}), 65, {"not UTF-8"});
  EXPECT_FALSE(std::filesystem::exists(place("new"))) << "refused before anything is written";
}

TEST_F(Refusals, MissingFiles) {
  expect_refused(train({"--data", place("absent")}), 74, {"absent", "convoy pack"});
  expect_refused(run({program, "evaluate", "--checkpoint", place("absent.h5"), "--data", store()}), 74,
                 {"absent.h5"});
  expect_refused(run({program, "predict", "--checkpoint", checkpoint(), place("absent.png")}), 74,
                 {"absent.png", "No such file"});
  expect_refused(run({program, "pack", place("absent.tar"), place("new")}), 74, {"absent.tar"});
  expect_refused(run({program, "predict", "--checkpoint", checkpoint()}), 64, {"IMAGE is missing"});
  expect_refused(run({program, "evaluate", "--data", store()}), 64, {"--checkpoint FILE is missing"});
}

TEST_F(Refusals, AFileThatIsNoImage) {
  const std::string file = place("words.jpg");
  std::ofstream(file) << "these are words";
  expect_refused(run({program, "predict", "--checkpoint", checkpoint(), file}), 65, {"words.jpg"});
}

// A bad file costs the good ones nothing.
TEST_F(Refusals, BadImagesBesideGoodOnes) {
  const std::string images = place("pictures");
  ASSERT_EQ(run({program, "synthesize", place("for-pictures"), "--images", "2", "--val-images", "2",
                 "--classes", "2", "--image-size", "64", "--export", images, "--export-images", "2"})
                .code,
            0);
  std::vector<std::string> good;
  for (const auto& entry : std::filesystem::directory_iterator(images)) good.push_back(entry.path());
  ASSERT_EQ(good.size(), 2U);
  const std::string bad = place("broken.png"), absent = place("gone.png"), pipe = place("pipe.png");
  std::ofstream(bad) << "no image";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto predict = [&](const std::vector<std::string>& files) {
    std::vector<std::string> command = {program, "predict", "--json", "--checkpoint", checkpoint()};
    command.insert(command.end(), files.begin(), files.end());
    return run(command, 30);
  };
  const Outcome outcome = predict({good[0], bad, absent, good[1]});
  EXPECT_EQ(outcome.code, 65) << "that of the first bad one";
  std::istringstream lines(outcome.out);
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(objects.size(), 4U) << outcome.out;
  for (const std::size_t i : {0U, 3U}) {
    EXPECT_EQ(objects[i]["image"], good[i == 0 ? 0 : 1]);
    EXPECT_EQ(objects[i]["top"].size(), 4U);
    EXPECT_FALSE(objects[i].contains("error"));
  }
  EXPECT_EQ(objects[1]["image"], bad);
  EXPECT_NE(objects[1]["error"].get<std::string>().find("broken.png"), std::string::npos);
  EXPECT_FALSE(objects[1].contains("top"));
  EXPECT_NE(objects[2]["error"].get<std::string>().find("No such file"), std::string::npos);
  EXPECT_EQ(occurrences(outcome.err, "broken.png"), 1) << outcome.err;
  EXPECT_EQ(occurrences(outcome.err, "gone.png"), 1) << outcome.err;
  EXPECT_EQ(predict({good[0], absent, bad}).code, 74);
  expect_refused(predict({pipe, good[0]}), 74, {"pipe.png is a FIFO"});
  EXPECT_NE(predict({pipe, good[0]}).out.find("\"top\""), std::string::npos);
  // The text form prints nothing for a bad image.
  const Outcome text = run({program, "predict", "--checkpoint", checkpoint(), bad, good[0]});
  EXPECT_EQ(text.code, 65);
  EXPECT_EQ(text.out.find("broken"), std::string::npos);
  EXPECT_EQ(text.out.find(good[0]), 0U) << text.out;
}

// A wait for someone to write into it would have no end.
TEST_F(Refusals, APipeWithoutAWriterIsNamed) {
  const std::string pipe = place("pipe.jpg");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
  expect_refused(run({program, "predict", "--checkpoint", checkpoint(), pipe}, 30), 74,
                 {"pipe.jpg is a FIFO"});
  expect_refused(run({program, "pack", pipe, place("new")}, 30), 64, {"pipe.jpg is a FIFO"});
}

TEST_F(Refusals, ADamagedShardIsNamedByEveryCommand) {
  const std::filesystem::path copy = copy_of_store("damaged");
  const std::filesystem::path shard = first_shard(copy, "train");
  ASSERT_FALSE(shard.empty());
  flip_byte(shard, static_cast<std::streamoff>(std::filesystem::file_size(shard) / 2));  // among the pixels
  const std::string name = shard.filename();
  const Outcome verified = run({program, "verify", copy});
  EXPECT_EQ(verified.code, 65);
  EXPECT_EQ(occurrences(verified.out, "bad: " + name), 1) << verified.out;
  expect_refused(train({"--data", copy}), 65, {name, "checksum"});
  expect_refused(run({program, "evaluate", "--checkpoint", checkpoint(), "--data", copy, "--split", "train"}),
                 65, {name});
}

TEST_F(Refusals, AShardThatWasCutShort) {
  const std::filesystem::path copy = copy_of_store("short");
  const std::filesystem::path shard = first_shard(copy, "train");
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) / 2);
  EXPECT_EQ(run({program, "verify", copy}).code, 65);
  expect_refused(train({"--data", copy}), 65, {shard.filename().string()});
}

TEST_F(Refusals, AnOutputFolderThatHoldsARun) {
  expect_refused(run(tiny_training(program, store(), place("run"))), 64, {"--output", "--resume auto"});
}

TEST_F(Refusals, AnOutputThatIsNoFolderOfARun) {
  const std::string file = place("file");
  std::ofstream(file) << "mine";
  expect_refused(run(tiny_training(program, store(), file)), 64, {"--output", "is a file"});
  expect_refused(run(tiny_training(program, store(), file + "/run")), 74, {"--output", "Not a directory"});
  expect_refused(run(tiny_training(program, store(), store())), 64, {"--output", "is a store"});
  EXPECT_EQ(read_file(file), "mine");
  EXPECT_FALSE(std::filesystem::exists(store() + "/checkpoints"));
}

// Told of the option, not of the checkpoints, which are sound.
TEST_F(Refusals, AnOptionThatAResumedRunCannotChange) {
  const Outcome outcome =
      run(tiny_training(program, store(), place("run"), {"--resume", "auto", "--classes", "20"}));
  expect_refused(outcome, 64, {"--classes 20 where the run has 4", "step-000000001.h5"});
  EXPECT_EQ(outcome.err.find("cannot be used"), std::string::npos) << outcome.err;
}

TEST_F(Refusals, ACheckpointOfAnotherModel) {
  expect_refused(train({"--model", "alexnet-cifar", "--resume", checkpoint()}), 64,
                 {"alexnet-mini", "alexnet-cifar"});
}

TEST_F(Refusals, ADamagedCheckpoint) {
  const std::string copy = place("damaged.h5");
  std::filesystem::copy_file(checkpoint(), copy);
  flip_byte(copy, static_cast<std::streamoff>(std::filesystem::file_size(copy) / 2));
  expect_refused(run({program, "evaluate", "--checkpoint", copy, "--data", store()}), 65, {"damaged.h5"});
  std::filesystem::resize_file(copy, 1000);
  expect_refused(run({program, "evaluate", "--checkpoint", copy, "--data", store()}), 65, {"damaged.h5"});
}

TEST_F(Refusals, AStoreThatIsTooSmallForTheNetwork) {
  expect_refused(train({"--model", "alexnet"}), 64, {"64", "227"});
}

// On several ranks a mistake is told once, and mpirun passes the code on.
TEST_F(Refusals, MoreRanksThanTheBatchHasSamples) {
  const std::string output = fresh_output();
  const Outcome outcome = run(on_ranks(4, tiny_training(program, store(), output, {"--global-batch", "3"})));
  expect_refused(outcome, 64, {"--global-batch 3", "4 ranks"});
  EXPECT_EQ(occurrences(outcome.err, "--global-batch 3"), 1) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST_F(Refusals, MoreRanksThanTheSplitHasImages) {
  const std::string few = place("few"), output = fresh_output();
  ASSERT_EQ(run({program, "synthesize", few, "--images", "3", "--val-images", "0", "--classes", "2",
                 "--image-size", "64"})
                .code,
            0);
  const Outcome outcome = run(on_ranks(4, tiny_training(program, few, output)));
  expect_refused(outcome, 64, {"3 images", "4 ranks", "at most 3 ranks"});
  EXPECT_FALSE(std::filesystem::exists(output));
  const Outcome trained = run(on_ranks(3, tiny_training(program, few, output)));
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(occurrences(trained.err, "--global-batch 16 is larger than the training split of 3 images"), 1)
      << trained.err;
}

TEST_F(Refusals, WrongOptionsOnRanksAreToldOnce) {
  const Outcome outcome =
      run(on_ranks(3, tiny_training(program, store(), fresh_output(), {"--batch-size", "3"})));
  expect_refused(outcome, 64, {"no option --batch-size"});
  EXPECT_EQ(occurrences(outcome.err, "no option --batch-size"), 1) << outcome.err;
}

// srun without PMI: each task would be rank 0 of 1 and write the same output.
TEST_F(Refusals, TasksOfSrunThatMpiDoesNotConnect) {
  const std::string output = fresh_output();
  const auto task = [&](const std::string& rank, const std::vector<std::string>& command) {
    // As srun --mpi=none sets them: because of the step, Open MPI would end the process by itself.
    return Process(command,
                   {"SLURM_NTASKS=4", "SLURM_STEP_NUM_TASKS=4", "SLURM_PROCID=" + rank,
                    "SLURM_NODELIST=localhost", "SLURM_STEPID=0", "SLURM_STEP_ID=0", "SLURM_JOBID=7"})
        .wait();
  };
  const std::vector<std::string> training = tiny_training(program, store(), output, {"--steps", "0"});
  expect_refused(task("0", training), 64, {"SLURM_STEP_NUM_TASKS=4", "srun --mpi=pmix", "--allow-single"});
  const Outcome second = task("1", training);
  EXPECT_EQ(second.code, 64);
  EXPECT_EQ(second.err, "") << "the first one tells it for all";
  EXPECT_FALSE(std::filesystem::exists(output));
  EXPECT_EQ(task("0", {program, "verify", store()}).code, 64);
  EXPECT_EQ(task("0", {program, "verify", store(), "--allow-single"}).code, 0);
  // mpirun inside a task.
  EXPECT_EQ(Process(on_ranks(2, {program, "verify", store()}), {"SLURM_STEP_NUM_TASKS=4", "SLURM_PROCID=1"})
                .wait()
                .code,
            0);
  // A batch script has the job's number of tasks, but is only one process.
  EXPECT_EQ(Process({program, "verify", store()}, {"SLURM_NTASKS=4", "SLURM_PROCID=0"}).wait().code, 0);
}

TEST_F(Refusals, ADamagedShardEndsAllRanks) {
  const std::filesystem::path copy = copy_of_store("damaged-on-ranks");
  const std::filesystem::path shard = first_shard(copy, "train");
  flip_byte(shard, static_cast<std::streamoff>(std::filesystem::file_size(shard) / 2));
  const Outcome outcome = run(on_ranks(2, tiny_training(program, copy, fresh_output())), 60);
  expect_refused(outcome, 65, {shard.filename().string()});
}

}  // namespace
}  // namespace convoy::test
