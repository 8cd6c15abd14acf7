#include "comm/communicator.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <limits>

#include "base/clock.hpp"
#include "base/host_name.hpp"
#include "comm/mpi_calls.hpp"

namespace convoy {

namespace {

MPI_Comm duplicate_of(MPI_Comm other) {
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(other, &copy), "MPI_Comm_dup");
  return copy;
}

int rank_in(MPI_Comm communicator) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(communicator, &rank), "MPI_Comm_rank");
  return rank;
}

int size_of(MPI_Comm communicator) {
  int size = 0;
  check_mpi(MPI_Comm_size(communicator, &size), "MPI_Comm_size");
  return size;
}

// Ranks that share memory form a node; nodes are numbered by their first ranks.
void find_nodes(Communicator::State& state) {
  MPI_Comm host = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(state.control, MPI_COMM_TYPE_SHARED, state.rank, MPI_INFO_NULL, &host),
            "MPI_Comm_split_type");
  state.local_rank = rank_in(host);
  state.local_size = size_of(host);
  int first_rank = state.rank;
  check_mpi(MPI_Bcast(&first_rank, 1, MPI_INT, 0, host), "MPI_Bcast");
  check_mpi(MPI_Comm_free(&host), "MPI_Comm_free");

  std::vector<int> first_ranks(static_cast<std::size_t>(state.size));
  check_mpi(MPI_Allgather(&first_rank, 1, MPI_INT, first_ranks.data(), 1, MPI_INT, state.control),
            "MPI_Allgather");
  std::sort(first_ranks.begin(), first_ranks.end());
  first_ranks.erase(std::unique(first_ranks.begin(), first_ranks.end()), first_ranks.end());
  state.nodes = static_cast<int>(first_ranks.size());
  const auto mine = std::lower_bound(first_ranks.begin(), first_ranks.end(), first_rank);
  state.node = static_cast<int>(mine - first_ranks.begin());
}

int message_count(std::size_t count) {
  ensure(count <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "an MPI count fits an int");
  return static_cast<int>(count);
}

void reduce_in_place(void* values, std::size_t count, MPI_Datatype type, MPI_Op operation, MPI_Comm control) {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, values, message_count(count), type, operation, control, &request),
            "MPI_Iallreduce");
  wait_politely(request, "MPI_Iallreduce");
}

class MpiPendingSum final : public PendingSum {
 public:
  MpiPendingSum(std::span<const double> values, MPI_Comm communicator)
      : sums_(std::make_unique<std::vector<double>>(values.begin(), values.end())) {
    check_mpi(MPI_Iallreduce(MPI_IN_PLACE, sums_->data(), message_count(sums_->size()), MPI_DOUBLE, MPI_SUM,
                             communicator, &request_),
              "MPI_Iallreduce");
  }
  // MPI writes into sums_ until the request is complete. While an error unwinds, this rank must not wait for
  // the others: the memory is then left to MPI.
  ~MpiPendingSum() override {
    if (request_ == MPI_REQUEST_NULL) return;
    if (unwind_.unwinding()) {
      static_cast<void>(sums_.release());
    } else {
      MPI_Wait(&request_, MPI_STATUS_IGNORE);
    }
  }
  MpiPendingSum(const MpiPendingSum&) = delete;
  MpiPendingSum& operator=(const MpiPendingSum&) = delete;

  bool ready() override {
    int done = 0;
    check_mpi(MPI_Test(&request_, &done, MPI_STATUS_IGNORE), "MPI_Iallreduce");
    return done != 0;
  }
  std::span<const double> wait() override {
    wait_politely(request_, "MPI_Iallreduce");
    return *sums_;
  }

 private:
  std::unique_ptr<std::vector<double>> sums_;
  MPI_Request request_ = MPI_REQUEST_NULL;
  UnwindDetector unwind_;
};

// Open MPI 4.1 and PMIx 4 abbreviate lists of hosts in a buffer that a longer name than this overflows (pods
// of Kubernetes have such names). Without a launcher MPI starts its own daemon, which inherits these
// variables; launch/local sets them for mpirun. A launcher with PMIx has made its choice already.
void allow_long_host_name() {
  constexpr std::size_t safe = 50;
  if (host_name().size() <= safe || std::getenv("PMIX_NAMESPACE") != nullptr) return;
  ::setenv("OMPI_MCA_regx", "naive", 0);
  ::setenv("PMIX_MCA_preg", "^native", 0);
}

}  // namespace

Communicator::Communicator(int* argc, char*** argv) : state_(std::make_unique<State>()) {
  allow_long_host_name();
  check_mpi(MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &state_->thread_level), "MPI_Init_thread");
  // Duplicates inherit the handler: from here on every failure is returned as a code and thrown.
  check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  if (state_->thread_level < MPI_THREAD_SERIALIZED) {
    fail(ExitCode::device,
         "this MPI library ({}) does not allow calls from more than one thread; Convoy requires at least "
         "MPI_THREAD_SERIALIZED: use an MPI built with thread support",
         library());
  }
  state_->control = duplicate_of(MPI_COMM_WORLD);
  state_->pending = duplicate_of(MPI_COMM_WORLD);
  state_->ending = duplicate_of(MPI_COMM_WORLD);
  state_->rank = rank_in(state_->control);
  state_->size = size_of(state_->control);
  find_nodes(*state_);
}

Communicator::~Communicator() {
  // Finalising waits for all ranks. While an error unwinds here, the others may wait for this rank elsewhere:
  // end_group aborts them, or mpirun does when this process exits without finalising.
  if (state_->unwind.unwinding() && state_->size > 1) return;
  MPI_Comm_free(&state_->ending);
  MPI_Comm_free(&state_->pending);
  MPI_Comm_free(&state_->control);
  MPI_Finalize();
}

int Communicator::rank() const {
  return state_->rank;
}
int Communicator::size() const {
  return state_->size;
}
int Communicator::local_rank() const {
  return state_->local_rank;
}
int Communicator::local_size() const {
  return state_->local_size;
}
int Communicator::node() const {
  return state_->node;
}
int Communicator::nodes() const {
  return state_->nodes;
}
bool Communicator::thread_multiple() const {
  return state_->thread_level >= MPI_THREAD_MULTIPLE;
}
Communicator::State& Communicator::state() {
  return *state_;
}

std::string Communicator::library() const {
  return mpi_library();
}

void Communicator::barrier() {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(state_->control, &request), "MPI_Ibarrier");
  wait_politely(request, "MPI_Ibarrier");
}

void Communicator::broadcast(std::span<std::byte> bytes, int root) {
  // The root may have worked for a long time on its data: the others wait for it without using a core.
  barrier();
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), longest_message));
    check_mpi(MPI_Bcast(piece.data(), message_count(piece.size()), MPI_BYTE, root, state_->control),
              "MPI_Bcast");
    bytes = bytes.subspan(piece.size());
  }
}

std::string Communicator::broadcast_text(std::string text, int root) {
  std::uint64_t length = text.size();
  broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
  text.resize(length);
  broadcast(std::as_writable_bytes(std::span(text)), root);
  return text;
}

void Communicator::sum(std::span<double> values) {
  reduce_in_place(values.data(), values.size(), MPI_DOUBLE, MPI_SUM, state_->control);
}
void Communicator::sum(std::span<std::int64_t> values) {
  reduce_in_place(values.data(), values.size(), MPI_INT64_T, MPI_SUM, state_->control);
}
void Communicator::maximum(std::span<double> values) {
  reduce_in_place(values.data(), values.size(), MPI_DOUBLE, MPI_MAX, state_->control);
}

std::vector<std::string> Communicator::gather_texts(std::string_view mine) {
  barrier();
  const auto ranks = static_cast<std::size_t>(state_->size);
  const int length = message_count(mine.size());
  std::vector<int> lengths(ranks), offsets(ranks);
  check_mpi(MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, state_->control), "MPI_Allgather");
  std::size_t total = 0;
  for (std::size_t i = 0; i < ranks; ++i) {
    offsets[i] = message_count(total);
    total += static_cast<std::size_t>(lengths[i]);
  }
  std::string all(total, '\0');
  check_mpi(MPI_Allgatherv(mine.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(),
                           MPI_CHAR, state_->control),
            "MPI_Allgatherv");
  std::vector<std::string> texts(ranks);
  for (std::size_t i = 0; i < ranks; ++i)
    texts[i] = all.substr(static_cast<std::size_t>(offsets[i]), static_cast<std::size_t>(lengths[i]));
  return texts;
}

std::unique_ptr<PendingSum> Communicator::start_sum(std::span<const double> values) {
  return std::make_unique<MpiPendingSum>(values, state_->pending);
}

std::optional<Ending> Communicator::end_together(const Error& mine, double patience) {
  State& state = *state_;
  // A separate communicator: the other ranks may still have sums in flight on `pending`.
  if (state.endings.empty()) {
    state.endings.resize(static_cast<std::size_t>(state.size));
    const std::size_t hash = std::hash<std::string_view>()(mine.what());
    state.endings[static_cast<std::size_t>(state.rank)] = {static_cast<std::int64_t>(mine.category()),
                                                           static_cast<std::int64_t>(hash)};
    check_mpi(MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, state.endings.data(), 2, MPI_INT64_T,
                             state.ending, &state.ending_request),
              "MPI_Iallgather");
  }
  const Stopwatch watch;
  for (int done = 0;;) {
    check_mpi(MPI_Test(&state.ending_request, &done, MPI_STATUS_IGNORE), "MPI_Iallgather");
    if (done) break;
    if (watch.seconds() >= patience) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const State::EndingReport& first = state.endings.front();
  const auto cause = std::find_if(state.endings.begin(), state.endings.end(), [](const auto& report) {
    return report.code != static_cast<int>(ExitCode::device);
  });
  return Ending{.code = static_cast<ExitCode>((cause != state.endings.end() ? *cause : first).code),
                .alike = std::all_of(state.endings.begin(), state.endings.end(), [&](const auto& report) {
                  return report.code == first.code && report.text_hash == first.text_hash;
                })};
}

void Communicator::abort(ExitCode code) noexcept {
  const int number = static_cast<int>(code);
  // A second thread that ends the process must not overtake the first one's message to the launcher.
  if (state_->aborting.exchange(true)) std::this_thread::sleep_for(std::chrono::seconds(10));
  // If MPI does not allow this thread to call it, the process just exits: mpirun then ends the others.
  if (thread_multiple() || std::this_thread::get_id() == state_->main_thread)
    MPI_Abort(MPI_COMM_WORLD, number);
  std::_Exit(number);
}

std::string Communicator::share_outcome(bool failed, ExitCode category, std::string text) {
  std::int64_t outcome[2] = {failed ? 1 : 0, static_cast<std::int64_t>(category)};
  broadcast(std::as_writable_bytes(std::span(outcome)));
  text = broadcast_text(std::move(text));
  if (outcome[0] != 0) throw Error(static_cast<ExitCode>(outcome[1]), text);
  return text;
}

}  // namespace convoy
