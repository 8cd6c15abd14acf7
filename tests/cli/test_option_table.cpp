#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "base/error.hpp"
#include "cli/option_table.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

struct Options {
  int number = 3;
  double real = 0.5;
  std::string data;
  bool flag = false;
  std::string word = "one";
  std::map<std::string, std::string> keyed;
  std::vector<std::string> files;
};

OptionTable table_for(Options& options) {
  OptionTable table("convoy try");
  table.add_config();
  table.add_integer("number", "a number", options.number, 1, 100);
  table.add_real("real", "R", "a real", options.real, 0, 1);
  table.add_text("data", "STORE", "a store", options.data);
  table.add_flag("flag", "a flag", options.flag);
  table.add_word<std::string>("word", "a word", options.word, {{"one", "one"}, {"two", "two"}});
  table.add("real-list", "L", "unused", [](const std::string&) {});
  table.add_keyed("real", "R", "real.KEY", [&options](const std::string& key, const std::string& value) {
    options.keyed[key] = value;
  });
  return table;
}

std::string refusal(Options& options, const std::vector<std::string>& arguments,
                    ExitCode code = ExitCode::usage) {
  OptionTable table = table_for(options);
  try {
    table.parse(arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), code) << error.what();
    return error.what();
  }
  return "not refused";
}

class OptionFiles : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    const auto path = folder_ / "try.cfg";
    std::ofstream(path) << text;
    return path;
  }
  test::TemporaryFolder folder_;
};

TEST(OptionTable, WordsBehindAnOptionThatNeedsNoneAreItsValue) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--records", "off", "a"}, "off"}, {{"--records", "a"}, "on"}, {{"a", "--records"}, "on"}};
  for (const auto& [arguments, expected] : cases) {
    OptionTable table("convoy test");
    std::string given;
    std::vector<std::string> files;
    table.positional("FILE", "a file", files, true, false);
    table.add("records", "on|off", "keep records", [&](const std::string& value) { given = value; });
    table.value_optional("on");
    table.parse(arguments);
    EXPECT_EQ(given, expected);
    EXPECT_EQ(files, std::vector<std::string>{"a"});
  }
}

TEST(OptionTable, AWordThatAnOptionDoesNotHaveIsRefusedWhereNothingElseMayStand) {
  OptionTable table("convoy test");
  bool records = false;
  table.add("records", "on|off", "keep records", [&](const std::string& value) {
    records = parse_word<bool>(value, {{"on", true}, {"off", false}});
  });
  table.value_optional("on");
  test::expect_error(ExitCode::usage, {"--records", "'of' is not"}, [&] {
    table.parse({"--records", "of"});
  });
}

TEST(OptionTable, AnOptionWhoseValueMayBeLeftOut) {
  for (const auto& [arguments, expected] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{{{"a"}, "none"},
                                                                     {{"--watch", "a"}, "10"},
                                                                     {{"a", "--watch"}, "10"},
                                                                     {{"--watch=7", "a"}, "7"},
                                                                     {{"--watch", "8", "a"}, "8"},
                                                                     {{"a", "--watch", "9"}, "9"}}) {
    OptionTable table("convoy try");
    std::string given = "none";
    std::vector<std::string> files;
    table.positional("FILE", "files", files, true, true);
    table.add("watch", "SECONDS", "look every so often", [&](const std::string& value) { given = value; });
    table.value_optional("10");
    table.parse(arguments);
    EXPECT_EQ(given, expected);
    EXPECT_EQ(files, std::vector<std::string>{"a"});
    EXPECT_NE(table.help_text().find("--watch [SECONDS]"), std::string::npos) << table.help_text();
  }
}

TEST(OptionTable, ReadsTheCommandLine) {
  Options options;
  OptionTable table = table_for(options);
  table.parse(
      {"--number", "7", "--real=0.25", "--flag", "--word", "two", "--real.conv1", "x2", "--data", "a b"});
  EXPECT_EQ(options.number, 7);
  EXPECT_EQ(options.real, 0.25);
  EXPECT_TRUE(options.flag);
  EXPECT_EQ(options.word, "two");
  EXPECT_EQ(options.keyed["conv1"], "x2");
  EXPECT_EQ(options.data, "a b");
}

TEST(OptionTable, LastOneOnTheCommandLineWins) {
  Options options;
  table_for(options).parse({"--number", "7", "--number", "8"});
  EXPECT_EQ(options.number, 8);
}

TEST(OptionTable, RefusesWhatItDoesNotKnow) {
  Options options;
  EXPECT_NE(refusal(options, {"--numbr", "7"}).find("no option --numbr: did you mean --number?"),
            std::string::npos);
  EXPECT_NE(refusal(options, {"--batch-size", "7"}).find("--global-batch"), std::string::npos);
  EXPECT_NE(refusal(options, {"-b", "7"}).find("--global-batch"), std::string::npos);
  EXPECT_NE(refusal(options, {"--num", "7"}).find("no option --num"),
            std::string::npos);  // nothing is guessed
  EXPECT_NE(refusal(options, {"--word.x", "7"}).find("no option --word.x"), std::string::npos);
  EXPECT_NE(refusal(options, {"/data/imagenet"}).find("--data /data/imagenet"), std::string::npos);
  EXPECT_NE(refusal(options, {"--number"}).find("--number"), std::string::npos);  // its value is missing
}

TEST(OptionTable, NamesOptionAndValue) {
  Options options;
  EXPECT_EQ(refusal(options, {"--number", "0"}), "--number: '0' is not a whole number from 1 to 100");
  EXPECT_EQ(refusal(options, {"--word", "three"}), "--word: 'three' is not one of one, two");
}

TEST_F(OptionFiles, AValueWithACommentThatIsJoinedToIt) {
  Options options;
  const std::string hint = "(a comment needs a blank before '#')";
  const std::string joined = refusal(options, {"--config", write("number = 5#fast\n")});
  EXPECT_NE(joined.find("'5#fast'"), std::string::npos) << joined;
  EXPECT_TRUE(joined.ends_with(hint)) << joined;
  EXPECT_EQ(refusal(options, {"--config", write("number = five # fast\n")}).find(hint), std::string::npos);
  EXPECT_EQ(refusal(options, {"--number", "5#fast"}).find(hint), std::string::npos)
      << "the command line has no comments";
}

TEST_F(OptionFiles, CommandLineWinsOverTheFile) {
  Options options;
  OptionTable table = table_for(options);
  table.parse({"--number", "9", "--config",
               write("# a recipe\nnumber = 5   # ignored\n\nreal = 0.75\nreal.bias = x2\nflag = true\ndata = "
                     "/some where\n")});
  EXPECT_EQ(options.number, 9);
  EXPECT_EQ(options.real, 0.75);
  EXPECT_TRUE(options.flag);
  EXPECT_EQ(options.keyed["bias"], "x2");
  EXPECT_EQ(options.data, "/some where");
  EXPECT_EQ(table.configured("number"), "5");
  EXPECT_EQ(table.configured("word"), "");
}

TEST_F(OptionFiles, ErrorsNameFileAndLine) {
  Options options;
  const std::string path = write("number = 5\nreel = 1\n");
  EXPECT_EQ(refusal(options, {"--config", path}),
            path + ":2: there is no option reel: did you mean real?; see convoy try --help");
  EXPECT_NE(refusal(options, {"--config", write("\nnumber = five\n")}).find(":2: number: 'five'"),
            std::string::npos);
  EXPECT_NE(refusal(options, {"--config", write("number = 5\nnumber = 6\n")}).find("twice"),
            std::string::npos);
  EXPECT_NE(refusal(options, {"--config", write("net: \"train_val.prototxt\"\n")}).find("key = value"),
            std::string::npos);
  EXPECT_NE(refusal(options, {"--config", write("batch_size = 5\n")}).find("--global-batch"),
            std::string::npos);
  EXPECT_NE(refusal(options, {"--config", folder_ / "absent.cfg"}, ExitCode::io).find("absent.cfg"),
            std::string::npos);
}

TEST_F(OptionFiles, TheLastOfSeveralFilesWins) {
  Options options;
  OptionTable table = table_for(options);
  const std::string first = folder_ / "first.cfg";
  std::ofstream(first) << "number = 5\nreal = 0.75\n";
  table.parse({"--config", first, "--config", write("number = 6\n")});
  EXPECT_EQ(options.number, 6);
  EXPECT_EQ(options.real, 0.75);
  EXPECT_EQ(table.configured("number"), "6");
}

TEST_F(OptionFiles, AnOverruledValueIsNotLookedAt) {
  Options options;
  table_for(options).parse({"--number", "9", "--config", write("number = 5000\n")});
  EXPECT_EQ(options.number, 9);
}

TEST(OptionTable, Positionals) {
  Options options;
  std::vector<std::string> first;
  std::vector<std::string> rest;
  const auto make = [&] {
    OptionTable table("convoy try");
    table.positional("STORE", "a store", first, true, false);
    table.positional("IMAGE", "images", rest, true, true);
    table.add_integer("number", "a number", options.number, 1);
    return table;
  };
  make().parse({"store", "a.jpg", "--number", "2", "b.jpg"});
  EXPECT_EQ(first, std::vector<std::string>{"store"});
  EXPECT_EQ(rest, (std::vector<std::string>{"a.jpg", "b.jpg"}));
  OptionTable incomplete = make();
  EXPECT_THROW(incomplete.parse({"store"}), Error);
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"", "a.jpg"}, {"store", ""}}) {
    OptionTable empty = make();
    EXPECT_THROW(empty.parse(arguments), Error);
  }
}

TEST(OptionTable, HelpShowsGroupsValuesAndDefaults) {
  Options options;
  const std::string help = table_for(options).help_text();
  for (const char* part : {"Usage: convoy try", "--number N", "[3]", "--word one|two", "[one]", "--real.KEY"})
    EXPECT_NE(help.find(part), std::string::npos) << part << "\n" << help;
  OptionTable table = table_for(options);
  table.parse({"--nonsense", "--help"});
  EXPECT_TRUE(table.help_wanted());
}

}  // namespace
}  // namespace convoy
