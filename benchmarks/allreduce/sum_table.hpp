// The results of benchmark_allreduce: a table in the words of nccl-tests, and JSON for programs.
//
// The JSON file is one object; other programs read it, so these keys stay (more may be added):
//   benchmark "allreduce", version 1, convoy, library (of MPI), transport (mpi, nccl), type (float, bfloat16,
//   half), ranks, hosts, device
//   rows      [{how, bytes, seconds, least, most, algbw, busbw, wrong}]: one sum of so many bytes. Seconds
//   are
//             the median over the rounds, each that of the slowest rank; least and most are the extremes.
//   gradient  {bytes, rows: [{how, bucket_bytes, seconds, least, most, algbw, busbw}]}: so many bytes in
//   buckets,
//             all started before the first is waited for; absent without --gradient
// algbw is bytes ÷ seconds in GB/s, busbw 2 (P − 1)/P of it: what each rank must send and receive at the
// least.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace convoy::benchmark {

struct SumTime {
  double seconds = 0, least = 0, most = 0;
};

struct SumRow {
  std::string how;
  std::size_t bytes = 0;  // of a sum, or of a bucket of the gradient
  std::size_t whole = 0;  // what the time is for: `bytes`, or the whole gradient
  std::size_t wrong = 0;
  SumTime time = {};
};

struct SumResults {
  std::string convoy, library, transport, type, device;
  int ranks = 1, hosts = 1;
  std::size_t element_bytes = 4;  // on the wire
  std::size_t gradient_bytes = 0;
  std::vector<SumRow> rows, gradient;
};

// GB/s.
double algorithm_bandwidth(const SumRow& row);
double bus_bandwidth(const SumRow& row, int ranks);

// A median of rounds; `seconds` is not empty.
SumTime time_of(std::vector<double> seconds);

std::string table_head(const SumResults& results, std::string_view what);
std::string table_line(const SumResults& results, const SumRow& row);

nlohmann::ordered_json to_json(const SumResults& results);

}  // namespace convoy::benchmark
