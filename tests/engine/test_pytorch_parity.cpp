// The networks in full against PyTorch's on the same weights and images: scores, loss and gradients. The
// figures (double precision, dropout 0) and the script that made them, benchmarks/peers/parity.py, stand in
// the tree; weights and pixels follow formulas written down there and here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/engine_under_test.hpp"
#include "model/networks.hpp"
#include "support/built_file.hpp"

namespace convoy::test {
namespace {

constexpr int rows = 2;
constexpr std::uint32_t image_ordinal = 1000;

// 32 pseudo-random bits: the finaliser of MurmurHash3.
std::uint32_t hash_word(std::uint32_t ordinal, std::size_t element) {
  std::uint32_t x =
      static_cast<std::uint32_t>(element * 0x9E3779B1u + (std::uint64_t{ordinal} + 1) * 0x85EBCA6Bu);
  x ^= x >> 16;
  x *= 0x85EBCA6Bu;
  x ^= x >> 13;
  x *= 0xC2B2AE35u;
  x ^= x >> 16;
  return x;
}

// Weights in [−b, b) with b = 1.4 √(3 / fan_in), biases in [−0.1, 0.1), exact in float32 on both sides.
std::vector<float> formula_parameters(const ParameterTable& table) {
  std::vector<float> values(table.size());
  for (const Parameter& parameter : table.parameters()) {
    const auto bound = static_cast<float>(
        parameter.kind == ParameterKind::weight ? 1.4 * std::sqrt(3.0 / parameter.fan_in) : 0.1);
    for (std::size_t e = 0; e < parameter.elements; ++e) {
      const std::uint32_t word = hash_word(static_cast<std::uint32_t>(parameter.ordinal), e);
      values[parameter.offset + e] = (static_cast<float>(word >> 8) * 0x1p-23F - 1.0F) * bound;
    }
  }
  return values;
}

TestBatch formula_batch(int side) {
  TestBatch batch;
  batch.images.resize(static_cast<std::size_t>(rows * side * side * 3));
  for (std::size_t i = 0; i < batch.images.size(); ++i) {
    batch.images[i] = static_cast<std::uint8_t>(hash_word(image_ordinal, i) >> 24);
  }
  batch.labels = {3, 7};
  batch.transforms.resize(rows);
  return batch;
}

InputSpec formula_input(int side) {
  InputSpec input;
  input.stored_side = input.crop_side = side;
  input.mean = {123.5F, 117.25F, 104.75F};
  std::fill_n(input.scale, 3, 9.0F / 512.0F);
  return input;
}

// Where the figures lie in the build, or in what cluster/bundle packed.
const std::string& figures_file() {
  static const std::string file = built_file(CONVOY_PYTORCH_FIGURES);
  return file;
}

// The networks' figures; empty if the file is absent or damaged, which PyTorchFigures.AreThere reports: the
// cases below are listed before main, where nothing can fail in words.
const nlohmann::json& figures() {
  static const nlohmann::json value = [] {
    std::ifstream stream(figures_file());
    const nlohmann::json whole = nlohmann::json::parse(stream, nullptr, false);
    return whole.is_object() && whole.contains("networks") ? whole["networks"] : nlohmann::json::object();
  }();
  return value;
}

TEST(PyTorchFigures, AreThere) {
  EXPECT_FALSE(figures().empty()) << figures_file()
                                  << " is absent or is not the file of figures of this test";
}

struct Parameters {
  Target target;
  std::string key;  // of the figures: a network's name, and "@side" for another input
};
std::ostream& operator<<(std::ostream& out, const Parameters& each) {
  return out << each.target << " " << each.key;
}

std::vector<Parameters> all_figures() {
  std::vector<Parameters> result;
  for (const Target& target : exact_targets()) {
    for (const auto& [key, value] : figures().items()) result.push_back({target, key});
  }
  return result;
}

class PyTorchParity : public testing::TestWithParam<Parameters> {
 protected:
  PyTorchParity() : figures_(figures().at(GetParam().key)) {
    NetworkChanges changes;
    changes.dropout = 0;
    changes.input_side = figures_.at("input_side").get<int>();
    spec_ = make_network(GetParam().key.substr(0, GetParam().key.find('@')), changes);
    ReplicaOptions options;
    options.device = GetParam().target.device;
    options.threads = 2;
    replica_ = make_training_replica(spec_, formula_input(spec_.input.height), options);
    replica_->write_parameters(formula_parameters(replica_->table()));
    program_ = replica_->compile({rows, Mode::training, GetParam().target.precision});
    program_->forward(formula_batch(spec_.input.height).view(), {0, 0, 1.0 / rows});
  }

  const nlohmann::json& figures_;
  NetSpec spec_;
  std::unique_ptr<TrainingReplica> replica_;
  std::unique_ptr<Program> program_;
};

INSTANTIATE_TEST_SUITE_P(All, PyTorchParity, testing::ValuesIn(all_figures()), [](const auto& each) {
  std::string name = each.param.target.name() + "_" + each.param.key;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '@'; }, '_');
  return name;
});

// A float32 engine lies within about 4e-6 of double precision in whole networks (see EngineUnderTest's
// tolerances); the figures have nine digits.
constexpr double score_tolerance = 2e-5;
constexpr double gradient_tolerance = 2e-4;

TEST_P(PyTorchParity, ScoresLossAndGradients) {
  EXPECT_EQ(replica_->table().count(), figures_.at("parameters").get<std::size_t>());
  EXPECT_NEAR(program_->metrics().loss, figures_.at("loss").get<double>(), 1e-4);

  // Scores follow from probabilities up to a constant in each row: compare differences to the first.
  const int classes = class_count(spec_);
  std::vector<float> probabilities(static_cast<std::size_t>(rows * classes));
  program_->read_probabilities(probabilities);
  const double score_size = figures_.at("score_norm").get<double>() / std::sqrt(rows * classes);
  for (int row = 0; row < rows; ++row) {
    const std::vector<double> scores = figures_.at("scores").at(static_cast<std::size_t>(row));
    for (std::size_t c = 1; c < scores.size(); ++c) {
      const float* found = probabilities.data() + row * classes;
      EXPECT_NEAR(std::log(double{found[c]} / found[0]), scores[c] - scores[0],
                  5 * score_tolerance * score_size)
          << "row " << row << " class " << c;
    }
  }

  program_->backward(false, [](std::size_t) {});
  std::vector<float> gradients(replica_->table().size());
  replica_->read_gradients(gradients);
  for (const Parameter& parameter : replica_->table().parameters()) {
    const std::vector<double> expected = figures_.at("gradients").at(parameter.path());
    const float* found = gradients.data() + parameter.offset;
    double squares = 0;
    for (std::size_t e = 0; e < parameter.elements; ++e) squares += double{found[e]} * found[e];
    EXPECT_NEAR(std::sqrt(squares), expected[0], gradient_tolerance * expected[0]) << parameter.path();
    // Single elements: against the tensor's largest of the samples or its mean size.
    const double size = expected[0] / std::sqrt(static_cast<double>(parameter.elements));
    const std::size_t samples = expected.size() - 1, count = parameter.elements;
    for (std::size_t i = 0; i < samples; ++i) {
      const std::size_t place = (i * (count / samples | 1) + 11 * i) % count;
      EXPECT_NEAR(found[place], expected[i + 1],
                  10 * gradient_tolerance * std::max(size, std::abs(expected[i + 1])))
          << parameter.path() << " element " << place;
    }
  }
}

}  // namespace
}  // namespace convoy::test
