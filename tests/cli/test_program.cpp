// The program as a user first meets it: help, versions, unknown commands, the list of networks.
#include <gtest/gtest.h>

#include "support/process.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

TEST(Program, TellsWhatItCanDo) {
  const Outcome help = run({program, "--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* command :
       {"train", "evaluate", "predict", "pack", "synthesize", "verify", "export", "models", "doctor"}) {
    EXPECT_NE(help.out.find(std::string("\n  ") + command + " "), std::string::npos) << command;
    const Outcome one = run({program, command, "--help"});
    EXPECT_EQ(one.code, 0) << command;
    EXPECT_NE(one.out.find(std::string("Usage: convoy ") + command), std::string::npos) << one.out;
    EXPECT_NE(one.out.find("Example:"), std::string::npos) << command;
    EXPECT_EQ(one.err, "") << command;
    EXPECT_EQ(run({program, "help", command}).out, one.out) << command;
  }
}

TEST(Program, WithoutACommandItHelpsAndSaysThatItDidNothing) {
  const Outcome outcome = run({program});
  EXPECT_EQ(outcome.code, 64);
  EXPECT_NE(outcome.out.find("Usage: convoy COMMAND"), std::string::npos);
}

TEST(Program, Version) {
  const Outcome outcome = run({program, "--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out.rfind("convoy ", 0), 0u);
}

TEST(Program, UnknownCommand) {
  const Outcome outcome = run({program, "trian"});
  EXPECT_EQ(outcome.code, 64);
  EXPECT_NE(outcome.err.find("unknown command 'trian' (did you mean train?)"), std::string::npos)
      << outcome.err;
}

TEST(Program, HelpUnderMpirunIsPrintedOnce) {
  const Outcome outcome = run(on_ranks(2, {program, "train", "--help"}));
  EXPECT_EQ(outcome.code, 0);
  const auto first = outcome.out.find("Usage: convoy train");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(outcome.out.find("Usage: convoy train", first + 1), std::string::npos);
}

// Parameters and multiply-accumulates as published for these networks.
TEST(Program, Models) {
  const Outcome outcome = run({program, "models"});
  EXPECT_EQ(outcome.code, 0);
  const std::pair<const char*, std::pair<const char*, const char*>> networks[] = {
      {"alexnet ", {"60,965,224", "724,406,816"}},
      {"alexnet-ungrouped ", {"62,378,344", "1,135,256,096"}},
      {"alexnet-ungrouped-lrn ", {"62,378,344", "1,135,256,096"}},
      {"alexnet-padded ", {"62,378,344", "1,135,256,096"}},
      {"alexnet-owt ", {"61,100,840", "714,188,480"}},
      {"caffe-alexnet ", {"60,965,224", "724,406,816"}},
      {"caffenet ", {"60,965,224", "724,406,816"}},
      {"alexnet-cifar ", {"21,622,154", "42,313,728"}},
      {"alexnet-mini ", {"1,198,602", "48,379,392"}},
  };
  for (const auto& [name, counts] : networks) {
    const auto at = outcome.out.find(std::string("\n") + name);
    ASSERT_NE(at, std::string::npos) << name;
    const std::string line = outcome.out.substr(at + 1, outcome.out.find('\n', at + 1) - at - 1);
    EXPECT_NE(line.find(counts.first), std::string::npos) << line;
    EXPECT_NE(line.find(counts.second), std::string::npos) << line;
  }
}

TEST(Program, DoctorAloneAndOnRanks) {
  const Outcome alone = run({program, "doctor"});
  EXPECT_EQ(alone.code, 0) << alone.err;
  EXPECT_NE(alone.out.find("Ranks: 1 on 1 host(s)"), std::string::npos) << alone.out;
  const Outcome two = run(on_ranks(2, {program, "doctor"}));
  EXPECT_EQ(two.code, 0) << two.err;
  EXPECT_NE(two.out.find("rank 1: host"), std::string::npos) << two.out;
  EXPECT_NE(two.out.find("GB/s per rank"), std::string::npos) << two.out;
}

}  // namespace
}  // namespace convoy::test
