// The control plane: MPI behind a class that all folders can include. One Communicator exists in `main` for
// the whole process. All members are collective over all ranks unless stated otherwise; they throw
// ExitCode::device when MPI reports an error. A program started without mpirun is one rank.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace convoy {

// A small all-reduce in flight: values are summed element by element in double.
class PendingSum {
 public:
  virtual ~PendingSum() = default;
  virtual bool ready() = 0;                    // progresses MPI; never blocks
  virtual std::span<const double> wait() = 0;  // the sums
};

// How the ranks end after all of them had an error.
struct Ending {
  ExitCode code = ExitCode::bug;
  bool alike = true;  // whether all ranks had the same error
};

class Communicator {
 public:
  // Initialises MPI, asking for MPI_THREAD_MULTIPLE. Throws ExitCode::device below MPI_THREAD_SERIALIZED.
  Communicator(int* argc, char*** argv);
  ~Communicator();  // finalises MPI (after an exception in flight: only when all ranks can be expected to
                    // follow)
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const;
  int size() const;
  int local_rank() const;  // among the ranks of this host
  int local_size() const;
  int node() const;  // 0, 1, … in order of each host's first rank
  int nodes() const;
  bool thread_multiple() const;  // whether any thread may call MPI at any time
  std::string library() const;   // "Open MPI v4.1.4 …"

  void barrier();
  void broadcast(std::span<std::byte> bytes, int root = 0);
  std::string broadcast_text(std::string text, int root = 0);
  void sum(std::span<double> values);  // in place, everywhere
  void sum(std::span<std::int64_t> values);
  void maximum(std::span<double> values);
  std::vector<std::string> gather_texts(std::string_view mine);  // everywhere, by rank

  // Sum that overlaps with other work; at most a few are in flight.
  std::unique_ptr<PendingSum> start_sum(std::span<const double> values);

  // Declares that `mine` ends this rank's work, and waits up to `patience` seconds for all others to do the
  // same. Empty if some did not: they continue, and only abort() ends them. If categories differ, the result
  // is that of the lowest rank whose error is not a device failure, which is often only a consequence of
  // another rank exiting. May be called again, to wait longer or for the same answer; the first error counts.
  std::optional<Ending> end_together(const Error& mine, double patience);

  // Ends all ranks with `code`; never returns. Not collective: any rank, any thread; the first call's code
  // counts.
  [[noreturn]] void abort(ExitCode code) noexcept;

  // Runs `work` on rank 0 only; an Error thrown there is thrown on every rank with the same text and
  // category. Returns the text that `work` returned, on every rank.
  template <typename Work>
  std::string on_rank_zero(Work&& work);

  struct State;  // MPI handles; for comm/'s own files
  State& state();

 private:
  std::string share_outcome(bool failed, ExitCode category, std::string text);
  std::unique_ptr<State> state_;
};

template <typename Work>
std::string Communicator::on_rank_zero(Work&& work) {
  bool failed = false;
  ExitCode category = ExitCode::bug;
  std::string text;
  if (rank() == 0) {
    try {
      text = work();
    } catch (...) {
      const Error error = as_error(std::current_exception(), "rank 0 needs more than its node has");
      failed = true, category = error.category(), text = error.what();
    }
  }
  return share_outcome(failed, category, std::move(text));
}

}  // namespace convoy
