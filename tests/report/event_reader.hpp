// Reads TensorBoard's event files as their format is documented, by nothing that writes them: frames with
// checksums computed bit by bit, and messages by the numbers of their fields.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace convoy::test {

struct ReadHistogram {
  double min = 0, max = 0, count = 0, sum = 0, sum_squares = 0;
  std::vector<double> limits, counts;
};

struct ReadImage {
  std::int64_t width = 0, height = 0, colours = 0;
  std::string bytes;
};

struct ReadEvent {
  double wall_time = 0;
  std::int64_t step = 0;
  std::string file_version;
  bool starts_session = false;
  std::map<std::string, float> scalars;
  std::map<std::string, ReadImage> images;
  std::map<std::string, ReadHistogram> histograms;
  std::map<std::string, std::string> texts;
  std::map<std::string, std::string> settings;  // of runs: "text" or "number 0.1"
};

// The payloads of a file's records; expects every checksum to be right and nothing behind the last record.
std::vector<std::string> read_records(const std::string& file);

// The same of one file or of the event files of a folder in the order of their names.
std::vector<ReadEvent> read_events(const std::filesystem::path& path);

// What TensorBoard keeps of events: from each start of a session but the first, earlier events of its step
// and later ones are forgotten.
std::vector<ReadEvent> kept_events(const std::vector<ReadEvent>& events);

}  // namespace convoy::test
