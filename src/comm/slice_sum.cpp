#include "comm/slice_sum.hpp"

#include <algorithm>

#include "base/host_device.hpp"

namespace convoy {

namespace {

CONVOY_VECTORISED void add(float* __restrict sum, const float* __restrict values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += values[i];
}

// MPI guarantees only tags up to 32767. Messages of slices in flight must differ; there are far fewer than
// this.
constexpr std::int64_t distinct_tags = 16384;

// Elements added at a time: the running sum stays in the first-level cache (16 KiB).
constexpr std::size_t block = 4096;

}  // namespace

SliceSum::SliceSum(std::span<float> slice, std::int64_t number, MPI_Comm communicator,
                   std::vector<float> scratch)
    : slice_(slice),
      communicator_(communicator),
      tag_(static_cast<int>(number % distinct_tags) * 2),
      scratch_(std::move(scratch)) {
  check_mpi(MPI_Comm_rank(communicator, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(communicator, &ranks_), "MPI_Comm_size");
  start_scatter();
}

std::span<float> SliceSum::part(int rank) const {
  const Range range = part_of(static_cast<std::int64_t>(slice_.size()), ranks_, rank);
  return slice_.subspan(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.size()));
}

std::span<float> SliceSum::received_from(int rank) {
  const std::size_t size = part(rank_).size();
  const auto index = static_cast<std::size_t>(rank < rank_ ? rank : rank - 1);
  return std::span(scratch_).subspan(index * size, size);
}

void SliceSum::send(std::span<const float> values, int rank) {
  requests_.push_back(MPI_REQUEST_NULL);
  check_mpi(MPI_Isend(values.data(), static_cast<int>(values.size()), MPI_FLOAT, rank, tag_, communicator_,
                      &requests_.back()),
            "MPI_Isend");
}

void SliceSum::receive(std::span<float> values, int rank) {
  requests_.push_back(MPI_REQUEST_NULL);
  check_mpi(MPI_Irecv(values.data(), static_cast<int>(values.size()), MPI_FLOAT, rank, tag_, communicator_,
                      &requests_.back()),
            "MPI_Irecv");
}

// Both rounds start with the next rank, so that not all ranks send to rank 0 at once.
void SliceSum::start_scatter() {
  const std::size_t needed = part(rank_).size() * static_cast<std::size_t>(ranks_ - 1);
  if (scratch_.size() < needed) scratch_.resize(needed);
  for (int i = 1; i < ranks_; ++i) {
    const int from = (rank_ + ranks_ - i) % ranks_;
    receive(received_from(from), from);
  }
  for (int i = 1; i < ranks_; ++i) {
    const int to = (rank_ + i) % ranks_;
    send(part(to), to);
  }
}

void SliceSum::add_parts() {
  const std::span<float> mine = part(rank_);
  float sum[block];
  for (std::size_t begin = 0; begin < mine.size(); begin += block) {
    const std::size_t count = std::min(block, mine.size() - begin);
    for (int rank = 0; rank < ranks_; ++rank) {
      const float* values = (rank == rank_ ? mine : received_from(rank)).data() + begin;
      if (rank == 0) {
        std::copy_n(values, count, sum);
      } else {
        add(sum, values, count);
      }
    }
    std::copy_n(sum, count, mine.data() + begin);
  }
}

void SliceSum::start_gather() {
  requests_.clear();
  ++tag_;
  for (int i = 1; i < ranks_; ++i) {
    const int from = (rank_ + ranks_ - i) % ranks_;
    receive(part(from), from);
  }
  for (int i = 1; i < ranks_; ++i) send(part(rank_), (rank_ + i) % ranks_);
  gathering_ = true;
}

bool SliceSum::advance() {
  for (;;) {
    int done = 0;
    check_mpi(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE),
              "MPI_Testall");
    if (!done) return false;
    if (gathering_) return true;
    add_parts();
    start_gather();
  }
}

}  // namespace convoy
