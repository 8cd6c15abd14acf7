#include "system/bad_gradient.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <span>

#include "base/atomic_file.hpp"
#include "model/networks.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

// The gradient of fc7's weights is that of its outputs (fc8's weights) times its inputs (conv5's bias times
// fc6's weights): beyond float32. They are 0, so that the scores come of fc7's bias alone, and no gradient
// passes through them.
void make_gradient_overflow(Checkpoint& checkpoint, const ParameterTable& table) {
  const auto values = [&](const char* layer, ParameterKind kind) {
    const Parameter& parameter = table.find(layer, kind);
    return std::span(checkpoint.parameters).subspan(parameter.offset, parameter.elements);
  };
  constexpr float large = 1e17F;
  std::ranges::fill(values("conv5", ParameterKind::bias), large);
  std::ranges::fill(values("fc6", ParameterKind::weight), 1e6F);
  std::ranges::fill(values("fc7", ParameterKind::weight), 0.0F);
  std::ranges::fill(values("fc7", ParameterKind::bias), 1e-3F / large);
  const std::span<float> scores = values("fc8", ParameterKind::weight);
  std::ranges::fill(scores, 0.0F);
  // Of the first class alone: with the same weights the gradients of all classes would cancel.
  const auto inputs = static_cast<std::size_t>(table.find("fc8", ParameterKind::weight).shape[1]);
  std::ranges::fill(scores.first(inputs), large);
}

// Each file of a folder with its bytes, and each link with its target.
std::map<std::string, std::string> content_of(const fs::path& folder) {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::directory_iterator(folder))
    content[entry.path().filename()] =
        entry.is_symlink() ? fs::read_symlink(entry.path()).string() : read_text_file(entry.path());
  return content;
}

}  // namespace

void expect_bad_gradient_to_end_runs(TrainConfiguration configuration, Communicator& communicator) {
  const bool first = communicator.rank() == 0;
  const fs::path folder = fs::path(configuration.output) / "checkpoints";
  configuration.evaluate_every = configuration.checkpoint_every = {1, false};
  configuration.log_every = 1;
  configuration.steps = 2;
  Recorder before;
  ASSERT_EQ(train(configuration, communicator, before).code, ExitCode::done);
  communicator.on_rank_zero([&] {
    Checkpoint checkpoint = load(configuration.output, 2, configuration);
    const ParameterTable table(make_network(configuration.model, {.classes = 3, .dropout = {}}));
    make_gradient_overflow(checkpoint, table);
    write_checkpoint(folder / checkpoint_name(2), table, checkpoint);
    return std::string();
  });
  const std::map<std::string, std::string> content =
      first ? content_of(folder) : std::map<std::string, std::string>{};
  configuration.resume = "auto";
  struct Case {
    const char* name;
    std::int64_t steps;
    bool stop;
  };
  for (const Case& c : {Case{"in the middle", 9, false}, Case{"in the last step", 3, false},
                        Case{"while asked to stop", 9, true}}) {
    SCOPED_TRACE(c.name);
    configuration.steps = c.steps;
    Recorder recorder;
    recorder.stop = c.stop;
    const TrainingResult result = train(configuration, communicator, recorder);
    EXPECT_EQ(result.code, ExitCode::diverged) << result.text;
    EXPECT_EQ(result.step, 2);
    EXPECT_NE(result.text.find("at step 3 the loss, a gradient"), std::string::npos) << result.text;
    if (!first) continue;
    EXPECT_TRUE(recorder.validations.empty());
    EXPECT_TRUE(recorder.checkpoints.empty());
    EXPECT_TRUE(content_of(folder) == content) << "the checkpoints were changed";
  }
}

}  // namespace convoy::test
