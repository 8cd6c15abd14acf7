// Completion scripts in the shells that they are for, and man pages: both list everything that --help lists.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "support/process.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The first words of the indented lines that begin with `start`.
std::vector<std::string> indented_words(const std::string& text, const std::string& start) {
  std::vector<std::string> words;
  for (const std::string& line : lines_of(text))
    if (line.starts_with("  " + start) && line[2] != ' ')
      words.push_back(line.substr(2, line.find(' ', 2) - 2));
  return words;
}

std::vector<std::string> commands() {
  const std::string help = run({program, "--help"}).out;
  const auto at = help.find("Commands:\n");
  return indented_words(help.substr(at, help.find("\n\n", at) - at), "");
}

std::vector<std::string> options_of(const std::string& command) {
  return indented_words(run({program, command, "--help"}).out, "--");
}

class BashCompletion : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    std::ofstream(*folder_ / "script") << run({program, "completion", "bash"}).out;
  }
  static void TearDownTestSuite() { folder_.reset(); }

  // What is offered for the last of these words, with the cursor behind it.
  static std::set<std::string> offered(const std::vector<std::string>& words,
                                       const std::string& folder = "/") {
    std::string line = "cd '" + folder + "' && source '" + (*folder_ / "script").string() + "'; COMP_WORDS=(";
    for (const std::string& word : words) line += "'" + word + "' ";
    line += "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _convoy; printf '%s\\n' \"${COMPREPLY[@]}\"";
    const Outcome outcome = run({"bash", "--norc", "-c", line});
    EXPECT_EQ(outcome.err, "") << line;
    std::set<std::string> words_offered;
    for (const std::string& word : lines_of(outcome.out))
      if (!word.empty()) words_offered.insert(word);
    return words_offered;
  }

 private:
  inline static std::unique_ptr<TemporaryFolder> folder_;
};

using Words = std::set<std::string>;

TEST_F(BashCompletion, Commands) {
  const std::vector<std::string> all = commands();
  ASSERT_GE(all.size(), 10U);
  Words expected(all.begin(), all.end());
  expected.insert("help");
  EXPECT_EQ(offered({"convoy", ""}), expected);
  EXPECT_EQ(offered({"convoy", "tra"}), Words{"train"});
  EXPECT_EQ(offered({"convoy", "--v"}), Words{"--version"});
  EXPECT_EQ(offered({"convoy", "help", "eva"}), Words{"evaluate"});
  EXPECT_EQ(offered({"convoy", "man", "eva"}), Words{"evaluate"});
}

TEST_F(BashCompletion, EveryOptionOfEveryCommand) {
  for (const std::string& command : commands()) {
    const Words words = offered({"convoy", command, "--"});
    for (const std::string& option : options_of(command)) {
      const auto dot = option.find('.');
      EXPECT_TRUE(words.contains(dot == std::string::npos ? option : option.substr(0, dot + 1)))
          << command << " " << option;
    }
  }
}

TEST_F(BashCompletion, Values) {
  EXPECT_EQ(offered({"convoy", "train", "--log-level", "w"}), Words{"warning"});
  EXPECT_EQ(offered({"convoy", "train", "--precision", "="}), (Words{"fp32", "tf32", "bf16", "fp16"}));
  EXPECT_EQ(offered({"convoy", "train", "--precision", "=", "b"}), Words{"bf16"});
  EXPECT_EQ(offered({"convoy", "train", "--model", "alexnet-m"}), Words{"alexnet-mini"});
  EXPECT_EQ(offered({"convoy", "train", "--config", "quick"}), Words{"quickstart"});
  EXPECT_EQ(offered({"convoy", "train", "--seed", "1"}), Words{}) << "a number";
  EXPECT_EQ(offered({"convoy", "evaluate", "--json", "--spl"}), Words{"--split"}) << "after a flag";
  EXPECT_EQ(offered({"convoy", "completion", "z"}), Words{"zsh"});
}

TEST_F(BashCompletion, FilesAndFolders) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "photos of cats");
  std::ofstream(folder / "photo.png") << "x";
  const std::string here = folder.path();
  EXPECT_EQ(offered({"convoy", "predict", "--top", "3", "pho"}, here),
            (Words{"photos of cats", "photo.png"}));
  EXPECT_EQ(offered({"convoy", "predict", "a.jpg", "b.jpg", "photo."}, here), Words{"photo.png"});
  EXPECT_EQ(offered({"convoy", "train", "--data", "pho"}, here), Words{"photos of cats"})
      << "a store is a folder";
  EXPECT_EQ(offered({"convoy", "pack", "photo.png", "pho"}, here), Words{"photos of cats"});
}

TEST_F(BashCompletion, TheScriptsThatStartConvoy) {
  EXPECT_EQ(offered({"launch/local", "tra"}), Words{"train"});
  EXPECT_EQ(offered({"./launch/local", "-n", "4", "tra"}), Words{"train"});
  EXPECT_EQ(offered({"./launch/local", "--th"}), Words{"--threads"});
  EXPECT_EQ(offered({"launch/local", "--dry-run", "--restarts", "3", "tra"}), Words{"train"});
  EXPECT_EQ(offered({"launch/local", "-n", "2", "--threads", "4", "train", "--precision", "t"}),
            Words{"tf32"});
  EXPECT_EQ(offered({"launch/mpirun", "hosts.txt", "tra"}), Words{"train"});
  EXPECT_EQ(offered({"launch/mpirun", "hosts.txt", "train", "--schedule", "pla"}), Words{"plateau"});
  // As bash splits --hosts node1:4,node2:4.
  EXPECT_EQ(offered({"launch/mpirun", "--hosts", "node1", ":", "4,node2", ":", "4", "tra"}), Words{"train"});
  EXPECT_EQ(offered({"launch/mpirun", "--hosts", "=", "node1", "--dry-run", "train", "--schedule", "pla"}),
            Words{"plateau"});
  EXPECT_EQ(offered({"launch/mpirun", "--dry-run", "hosts.txt", "tra"}), Words{"train"});
}

// Zsh completes in its line editor alone, so it gets a terminal of its own.
TEST(ZshCompletion, CompletesCommandsOptionsAndWords) {
  if (run({"bash", "-c", "command -v zsh"}).code != 0) GTEST_SKIP() << "zsh is not installed";
  const TemporaryFolder folder;
  std::ofstream(folder / "_convoy") << run({program, "completion", "zsh"}).out;
  std::ofstream(folder / "type.zsh") << R"(
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell "PROMPT='> '; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; echo re''ady"
output=
wait_for() {
  local text tries
  for tries in {1..100}; do
    while zpty -r shell text; do output+=${text//$'\a'}; done  # without the bells
    if [[ $output == *$1* ]]; then return; fi
    sleep 0.1
  done
}
wait_for ready
zpty -n -w shell "$2"$'\t'
wait_for "$3"
print -r -- "${output##*ready}"
zpty -d shell
)";
  // Whether the word at the end of what is typed is completed to `expected`.
  const auto completes = [&](const std::string& typed, const std::string& expected) {
    const std::string out = run({"zsh", "-f", folder / "type.zsh", folder.path(), typed, expected}).out;
    EXPECT_NE(out.find(expected), std::string::npos) << typed << ": " << out;
  };
  completes("convoy evalu", "convoy evaluate");
  completes("convoy train --log-l", "--log-level");
  completes("convoy train --log-level warn", "warning");
  completes("convoy evaluate --json --spl", "--split");
  completes("convoy train --model=alexnet-mi", "alexnet-mini");
  completes("convoy train --config quick", "quickstart");
  completes("convoy man eva", "evaluate");
  completes("launch/local -n 2 train --schedule=plat", "plateau");
  completes("launch/mpirun /etc/hosts train --config quick", "quickstart");
  completes("launch/mpirun --restarts 3 --hosts node1 train --config quick", "quickstart");
  completes("launch/mpirun --restart-w", "--restart-wait");
}

TEST(ZshCompletion, HasEveryOptionOfEveryCommand) {
  const std::string script = run({program, "completion", "zsh"}).out;
  for (const std::string& command : commands()) {
    const auto begin = script.find("\n    " + command + ")\n");
    ASSERT_NE(begin, std::string::npos) << command;
    const std::string part = script.substr(begin, script.find("\n      ;;", begin) - begin);
    for (const std::string& option : options_of(command))
      EXPECT_NE(part.find("'" + option.substr(0, option.find('.'))), std::string::npos)
          << command << " " << option;
  }
}

std::string in_roff(const std::string& option) {
  std::string text;
  for (const char c : option.substr(0, option.find('.')))
    text += c == '-' ? std::string("\\-") : std::string(1, c);
  return text;
}

TEST(ManPages, HaveEveryOptionOfEveryCommand) {
  for (const std::string& command : commands()) {
    const std::string page = run({program, "man", command}).out;
    for (const std::string& option : options_of(command))
      EXPECT_NE(page.find("\\fB" + in_roff(option) + "\\fR"), std::string::npos) << command << " " << option;
  }
}

TEST(ManPages, AreSound) {
  const TemporaryFolder folder;
  ASSERT_EQ(run({program, "man", "--output", folder / "man1"}).code, 0);
  std::vector<std::string> pages = {"convoy.1"};
  for (const std::string& command : commands()) pages.push_back("convoy-" + command + ".1");
  const bool has_mandoc = run({"bash", "-c", "command -v mandoc"}).code == 0;
  const Words requests = {".TH", ".SH", ".SS", ".TP", ".PP", ".IP", ".BR", ".EX", ".EE"};
  for (const std::string& page : pages) {
    const std::string text = read_file(folder / "man1" / page);
    EXPECT_TRUE(text.starts_with(".TH CONVOY")) << page;
    for (const char* section :
         {"\n.SH NAME\n", "\n.SH SYNOPSIS\n", "\n.SH DESCRIPTION\n", "\n.SH SEE ALSO\n"})
      EXPECT_NE(text.find(section), std::string::npos) << page << section;
    for (const std::string& line : lines_of(text)) {
      EXPECT_TRUE(!line.starts_with('.') || requests.contains(line.substr(0, 3))) << page << ": " << line;
      EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; }))
          << page << ": " << line;
    }
    if (!has_mandoc) continue;
    const Outcome lint = run({"mandoc", "-T", "lint", folder / "man1" / page});
    EXPECT_EQ(lint.out, "") << page;
    EXPECT_EQ(lint.code, 0) << page;
  }
}

TEST(ManPages, RefuseWhatTheyCannotDo) {
  EXPECT_EQ(run({program, "man", "trian"}).code, 64);
  EXPECT_EQ(run({program, "man", "train", "--output", "x"}).code, 64);
  EXPECT_EQ(run({program, "completion", "fish"}).code, 64);
  EXPECT_EQ(run({program, "completion"}).code, 64);
}

}  // namespace
}  // namespace convoy::test
