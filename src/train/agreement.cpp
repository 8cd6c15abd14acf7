#include "train/agreement.hpp"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <xxhash.h>

#include <algorithm>
#include <sstream>

#include "data/hdf5_version.hpp"
#include "device/cuda_devices.hpp"
#include "engine/cpu/onednn_version.hpp"
#include "engine/update_arithmetic.hpp"

namespace convoy {
namespace {

// First line of `mine` that is not in `reference`'s same place, beside that one.
std::string first_difference(const std::string& reference, const std::string& mine) {
  std::istringstream left(reference), right(mine);
  std::string left_line, right_line;
  while (true) {
    const bool more_left = static_cast<bool>(std::getline(left, left_line));
    const bool more_right = static_cast<bool>(std::getline(right, right_line));
    if (!more_left && !more_right) return "the line ends differ";
    if (!more_left) left_line = "(nothing)";
    if (!more_right) right_line = "(nothing)";
    if (left_line != right_line) return fmt::format("'{}' on rank 0, '{}' there", left_line, right_line);
  }
}

}  // namespace

void require_same_text(Communicator& communicator, const std::string& what, const std::string& mine,
                       ExitCode category) {
  const std::string hash = fmt::format("{:016x}", XXH3_64bits(mine.data(), mine.size()));
  const std::vector<std::string> hashes = communicator.gather_texts(hash);
  if (std::all_of(hashes.begin(), hashes.end(), [&](const std::string& other) { return other == hashes[0]; }))
    return;
  const std::vector<std::string> texts = communicator.gather_texts(mine);
  for (std::size_t rank = 1; rank < texts.size(); ++rank)
    if (texts[rank] != texts[0])
      fail(category, "rank {} has another {} than rank 0: {}", rank, what,
           first_difference(texts[0], texts[rank]));
}

std::vector<std::uint64_t> parameter_hashes(const Replica& replica) {
  const ParameterTable& table = replica.table();
  std::vector<float> values(table.size());
  replica.read_parameters(values);
  std::vector<std::uint64_t> hashes;
  for (const Parameter& parameter : table.parameters())
    hashes.push_back(XXH3_64bits(values.data() + parameter.offset, parameter.elements * sizeof(float)));
  return hashes;
}

void require_same_hashes(Communicator& communicator, const std::vector<std::string>& names,
                         const std::vector<std::uint64_t>& hashes, std::int64_t step) {
  if (communicator.size() == 1) return;
  std::string mine;
  for (const std::uint64_t hash : hashes) mine += fmt::format("{:016x}", hash);
  const std::string whole = fmt::format("{:016x}", XXH3_64bits(mine.data(), mine.size()));
  const std::vector<std::string> wholes = communicator.gather_texts(whole);
  if (std::all_of(wholes.begin(), wholes.end(), [&](const std::string& other) { return other == wholes[0]; }))
    return;
  const std::vector<std::string> texts = communicator.gather_texts(mine);
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t rank = 1; rank < texts.size(); ++rank)
      if (texts[rank].compare(16 * i, 16, texts[0], 16 * i, 16) != 0)
        fail(ExitCode::device,
             "step {}: the replicas differ: {} on rank {} is not rank 0's. A device or a "
             "transfer computed wrongly, or the nodes' libraries differ; resume from the last checkpoint "
             "with --resume auto, without that node if it happens again",
             step, names[i], rank);
}

void require_same_parameters(Communicator& communicator, const Replica& replica, std::int64_t step) {
  if (communicator.size() == 1) return;
  std::vector<std::pair<int, std::size_t>> order;  // network order: the first layer first
  const std::vector<Parameter>& parameters = replica.table().parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) order.emplace_back(parameters[i].ordinal, i);
  std::sort(order.begin(), order.end());
  const std::vector<std::uint64_t> in_table_order = parameter_hashes(replica);
  std::vector<std::string> names;
  std::vector<std::uint64_t> hashes;
  for (const auto& [ordinal, i] : order) {
    names.push_back(parameters[i].path());
    hashes.push_back(in_table_order[i]);
  }
  require_same_hashes(communicator, names, hashes, step);
}

bool has_sound_parameters(const Replica& replica) {
  std::vector<float> values(replica.table().size());
  replica.read_parameters(values);
  return std::all_of(values.begin(), values.end(), is_sound);
}

std::vector<std::pair<std::string, std::string>> library_versions(const Communicator& communicator,
                                                                  DeviceKind device) {
  std::vector<std::pair<std::string, std::string>> versions = {{"convoy", CONVOY_VERSION},
                                                               {"mpi", communicator.library()},
                                                               {"onednn", onednn_version()},
                                                               {"hdf5", hdf5_version()},
                                                               {"glibc", ::gnu_get_libc_version()}};
  if (device == DeviceKind::cuda) versions.emplace_back("cuda", find_cuda_devices().versions);
  return versions;
}

}  // namespace convoy
