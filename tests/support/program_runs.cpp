#include "support/program_runs.hpp"

#include <fstream>
#include <stdexcept>

namespace convoy::test {

void make_tiny_store(const std::string& program, const std::filesystem::path& store) {
  const Outcome outcome = run({program, "synthesize", store, "--classes", "4", "--images", "64",
                               "--val-images", "32", "--image-size", "64", "--shard-bytes", "200kB"});
  if (outcome.code != 0) throw std::runtime_error("convoy synthesize failed: " + outcome.err);
}

std::vector<std::string> tiny_training(const std::string& program, const std::filesystem::path& store,
                                       const std::filesystem::path& output,
                                       const std::vector<std::string>& more) {
  std::vector<std::string> command = {program,          "train", "--model",   "alexnet-mini",
                                      "--data",         store,   "--output",  output,
                                      "--global-batch", "16",    "--epochs",  "2",
                                      "--lr",           "0.01",  "--threads", "1",
                                      "--workers",      "1",     "--augment", "crop,mirror",
                                      "--log-every",    "1",     "--device",  "cpu"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

void damage_an_image(const std::filesystem::path& store) {
  for (const auto& entry : std::filesystem::directory_iterator(store)) {
    if (!entry.path().filename().string().starts_with("train-00000-")) continue;
    std::fstream shard(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(entry.file_size() / 2);  // pixels are nearly all of it
    shard.seekg(middle);
    const int value = shard.get();
    shard.seekp(middle);
    shard.put(static_cast<char>(value ^ 1));
    return;
  }
  throw std::runtime_error("no training shard in " + store.string());
}

int occurrences(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace convoy::test
