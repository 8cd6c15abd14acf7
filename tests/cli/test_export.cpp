// `convoy export`: the weights of a real checkpoint in files of other programs.
#include <gtest/gtest.h>

#include <fstream>

#include "checkpoint/trained_model.hpp"
#include "foreign/foreign_file.hpp"
#include "foreign/safetensors.hpp"
#include "foreign/tensor_names.hpp"
#include "model/parameter_table.hpp"
#include "support/file_size_limit.hpp"
#include "support/process.hpp"
#include "support/program_runs.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

// A run of a few steps, made once for all tests.
class Export : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = std::make_unique<TemporaryFolder>();
    make_tiny_store(program, *folder / "store");
    const Outcome outcome =
        run(tiny_training(program, *folder / "store", *folder / "run", {"--epochs", "1"}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  static void TearDownTestSuite() { folder.reset(); }

  static std::string checkpoint() { return *folder / "run/checkpoints/best"; }
  static std::string output(const std::string& name) { return *folder / name; }
  static Outcome export_to(const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> command{program, "export", checkpoint(), "--output", output(name)};
    command.insert(command.end(), more.begin(), more.end());
    return run(command);
  }
  static void expect_refused(const Outcome& outcome, int code, const std::string& words) {
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }

  static std::unique_ptr<TemporaryFolder> folder;
};

std::unique_ptr<TemporaryFolder> Export::folder;

// The file's tensors are the checkpoint's parameters, bit for bit, in network order under these names.
void expect_weights(const std::vector<NamedTensor>& tensors, const std::string& checkpoint,
                    TensorNames names) {
  const TrainedModel model = load_model(checkpoint);
  const ParameterTable table(model.network);
  const std::vector<TensorName> expected = tensor_names(names);
  ASSERT_EQ(tensors.size(), expected.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(tensors[i].name, expected[i].foreign);
    const auto parameter = std::ranges::find(table.parameters(), expected[i].parameter, &Parameter::path);
    ASSERT_NE(parameter, table.parameters().end());
    EXPECT_TRUE(std::ranges::equal(tensors[i].shape, parameter->shape)) << tensors[i].name;
    ASSERT_EQ(tensors[i].values.size(), parameter->elements);
    EXPECT_EQ(std::memcmp(tensors[i].values.data(), model.parameters.data() + parameter->offset,
                          parameter->elements * sizeof(float)),
              0)
        << tensors[i].name;
  }
}

TEST_F(Export, WeightsForPyTorchAndSafetensors) {
  for (const std::string name : {"w.pth", "w.safetensors"}) {
    const Outcome outcome = export_to(name);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    expect_weights(read_foreign(output(name)), checkpoint(), TensorNames::caffe);
    for (const std::string words : {"conv1.weight", "48 × 3 × 5 × 5", "fc8.bias", "alexnet-mini of 4 classes",
                                    "16 tensors under Caffe's names", "CenterCrop(64), Normalize(mean=["})
      EXPECT_NE(outcome.out.find(words), std::string::npos) << words << " is not in: " << outcome.out;
    EXPECT_NE(outcome.out.find(" " + std::to_string(std::filesystem::file_size(output(name))) + " bytes"),
              std::string::npos)
        << outcome.out;
  }
  const SafetensorsMetadata metadata = read_safetensors(output("w.safetensors")).metadata;
  EXPECT_EQ(metadata.at("model"), "alexnet-mini");
  EXPECT_EQ(metadata.at("format"), "pt");
  EXPECT_NE(metadata.at("classes").find(R"("id":")"), std::string::npos) << metadata.at("classes");
  EXPECT_NE(metadata.at("input").find(R"("crop_side":64)"), std::string::npos) << metadata.at("input");
}

TEST_F(Export, NamesOfTorchvisionOnRequest) {
  ASSERT_EQ(export_to("t.pth", {"--names", "torchvision"}).code, 0);
  expect_weights(read_foreign(output("t.pth")), checkpoint(), TensorNames::torchvision);
}

TEST_F(Export, WhatCannotBeDoneIsSaid) {
  expect_refused(run({program, "export", checkpoint()}), 64, "--output FILE is missing");
  expect_refused(export_to("w.onnx"), 64, "X.pth (PyTorch) or X.safetensors");
  expect_refused(export_to("w.pth", {"--names", "keras"}), 64, "torchvision");
  expect_refused(run({program, "export", *folder / "run", "--output", output("w.pth")}), 64,
                 (*folder / "run/checkpoints/latest").string());
  expect_refused(run({program, "export", *folder / "none.h5", "--output", output("x.pth")}), 74, "none.h5");
  std::ofstream(*folder / "text.h5") << "no checkpoint";
  expect_refused(run({program, "export", *folder / "text.h5", "--output", output("x.pth")}), 65, "text.h5");
  expect_refused(export_to("nowhere/x.pth"), 74, "nowhere/x.pth");
  std::filesystem::create_directory(*folder / "folder.pth");
  expect_refused(export_to("folder.pth"), 64, "is a folder");
  EXPECT_FALSE(std::filesystem::exists(output("x.pth")));
}

TEST_F(Export, OnAFullDiskNoFileRemains) {
  Outcome outcome;
  {
    const FileSizeLimit full(1'000'000);
    outcome = export_to("full.pth");
  }
  expect_refused(outcome, 74, "full.pth");
  EXPECT_FALSE(std::filesystem::exists(output("full.pth")));
  EXPECT_FALSE(std::filesystem::exists(output("full.pth.partial")));
}

}  // namespace
}  // namespace convoy::test
