// The sum of one slice of floats over all ranks by messages between pairs of ranks: the algorithm behind
// make_mpi_collective. For comm/'s own files.
//
// Each of P ranks owns one P-th part of the slice. Every rank sends every other rank that rank's part
// (reduce-scatter), adds the received parts in the order of ranks, and sends the sum to all ranks
// (all-gather). This moves 2 (P-1)/P of the slice per rank, the minimum, in two rounds. Each element is
// summed once, by one rank, always as ((x0 + x1) + x2) + …: all ranks get the same bits, whatever the sizes
// of slices, the thread that drives it and the version of the MPI library. MPI_Allreduce is not used because
// its order depends on message size and library, and its non-blocking form was slower (benchmarks/allreduce).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/partition.hpp"
#include "comm/mpi_calls.hpp"

namespace convoy {

class SliceSum {
 public:
  // `number` counts slices on this communicator, the same on every rank: it separates their messages.
  // `scratch` has (ranks - 1) parts and belongs to this object until it is done.
  SliceSum(std::span<float> slice, std::int64_t number, MPI_Comm communicator, std::vector<float> scratch);

  // Progresses the messages; returns whether the sum is complete on this rank. Never blocks. Throws
  // ExitCode::device.
  bool advance();

  std::vector<float> take_scratch() { return std::move(scratch_); }

 private:
  std::span<float> part(int rank) const;
  std::span<float> received_from(int rank);
  void start_scatter();
  void add_parts();
  void start_gather();
  void send(std::span<const float> values, int rank);
  void receive(std::span<float> values, int rank);

  std::span<float> slice_;
  MPI_Comm communicator_;
  int rank_ = 0, ranks_ = 1;
  int tag_ = 0;
  bool gathering_ = false;
  std::vector<float> scratch_;
  std::vector<MPI_Request> requests_;
};

}  // namespace convoy
