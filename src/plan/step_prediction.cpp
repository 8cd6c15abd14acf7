#include "plan/step_prediction.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace convoy {
namespace {

double bucket_bytes_on_wire(const StepInput& input, const Bucket& bucket) {
  return static_cast<double>(bucket.end - bucket.begin) * input.bytes_per_element;
}

// Sums follow each other as on NCCL's stream. In Convoy's own sum pieces of several buckets are in flight, so
// that a bucket whose predecessor is under way does not wait for latencies of its own.
void sum_beside(const StepInput& input, StepPrediction& result) {
  const bool pipelined = input.algorithm == SumAlgorithm::direct;
  double free = 0;
  for (const Bucket& bucket : input.buckets) {
    const SumCost cost = sum_cost(input.algorithm, input.network, bucket_bytes_on_wire(input, bucket));
    const double ready = ready_seconds(input.device.ready, bucket.end);
    const double begin = std::max(ready, free);
    const double taken = pipelined && free > ready ? cost.transfer : cost.seconds();
    result.buckets.push_back({.ready = ready, .begin = begin, .end = begin + taken});
    result.sums += taken;
    free = begin + taken;
  }
  result.exposed = std::max(0.0, free - input.device.backward);
  result.hidden = std::max(0.0, result.sums - result.exposed);
}

// The work of sums that go on during backward makes it longer, which leaves them more time: a fixed point.
void sum_sharing(const StepInput& input, StepPrediction& result) {
  double work = 0;
  for (const Bucket& bucket : input.buckets)
    work += sum_cost(input.algorithm, input.network, bucket_bytes_on_wire(input, bucket)).work;
  StepInput slowed = input;
  double during_backward = work;
  for (int round = 0; round < 20; ++round) {
    slowed.device.backward = input.device.backward + during_backward;
    const double factor = slowed.device.backward / input.device.backward;
    for (std::size_t i = 0; i < input.device.ready.size(); ++i)
      slowed.device.ready[i].seconds = input.device.ready[i].seconds * factor;
    result.buckets.clear();
    result.sums = 0;
    sum_beside(slowed, result);
    during_backward = result.sums > 0 ? work * result.hidden / result.sums : 0;
  }
  result.backward = slowed.device.backward;
}

// What the kernel sends without the program: Linux's largest socket buffer by default (tcp_wmem).
constexpr double socket_bytes = 4 << 20;

// Looks that the pieces in flight take: one for each latency, and more where a round's bytes to other nodes
// fill the socket's buffer several times.
int looks_for_pieces(const RankNetwork& network, double piece) {
  const int latencies = direct_latencies(network.ranks, piece);
  const double remote = network.ranks - network.ranks_per_node;
  const double round = direct_pieces_in_flight() * piece / network.ranks * remote;
  return latencies + 2 * static_cast<int>(std::max(0.0, std::ceil(round / socket_bytes) - 1));
}

// The pieces that backward's looks at them complete: of each piece in flight one message gets on at a look.
double pieces_hidden(const StepInput& input) {
  const double piece = direct_piece_bytes(input.network.ranks);
  std::vector<double> looks;
  for (const ReadyPoint& point : input.device.ready) looks.push_back(point.seconds);
  double available = 0, complete = 0, in_flight = 0;
  int messages_left = 0;
  std::size_t next = 0;
  for (const double now : looks) {
    for (; next < input.buckets.size() &&
           ready_seconds(input.device.ready, input.buckets[next].end) <= now + 1e-12;
         ++next)
      available += std::ceil(bucket_bytes_on_wire(input, input.buckets[next]) / piece);
    if (in_flight > 0 && --messages_left == 0) {
      complete += in_flight;
      in_flight = 0;
    }
    if (in_flight == 0 && available > complete) {
      in_flight = std::min<double>(available - complete, direct_pieces_in_flight());
      messages_left = looks_for_pieces(input.network, piece);
    }
  }
  return complete;
}

void sum_polled(const StepInput& input, StepPrediction& result) {
  double pieces = 0;
  const double piece = direct_piece_bytes(input.network.ranks);
  double free = input.device.backward;
  bool first = true;
  for (const Bucket& bucket : input.buckets) {
    const double bytes = bucket_bytes_on_wire(input, bucket);
    const SumCost cost = sum_cost(input.algorithm, input.network, bytes);
    const double taken = first ? cost.seconds() : cost.transfer;
    first = false;
    pieces += std::ceil(bytes / piece);
    result.buckets.push_back(
        {.ready = ready_seconds(input.device.ready, bucket.end), .begin = free, .end = free + taken});
    result.sums += taken;
    free += taken;
  }
  result.hidden = pieces > 0 ? result.sums * std::min(1.0, pieces_hidden(input) / pieces) : 0;
  // Bytes move by the work of the computing thread or, between nodes, while it computes; memory's share is
  // work in any case.
  const bool by_network = input.network.nodes() > 1;
  result.exposed = by_network ? result.sums - result.hidden : result.sums;
  if (!by_network) result.hidden = 0;
}

// While a GPU waits for sums it updates what is summed; the last bucket's part always remains.
double remaining_update(const StepInput& input, const StepPrediction& result) {
  const double update = input.device.update;
  if (!input.updates_early || input.buckets.empty() || input.network.ranks == 1) return update;
  const Bucket& last = input.buckets.back();
  const double share = static_cast<double>(last.end - last.begin) / static_cast<double>(last.end);
  return std::max(update * share, update - result.exposed);
}

}  // namespace

double ready_seconds(const std::vector<ReadyPoint>& ready, std::size_t end) {
  for (const ReadyPoint& point : ready)
    if (point.end >= end) return point.seconds;
  ensure(!ready.empty(), "backward completes the gradient");
  return ready.back().seconds;
}

StepPrediction predict_step(const StepInput& input) {
  const DeviceStep& device = input.device;
  StepPrediction result{.input = device.input, .forward = device.forward, .backward = device.backward};
  if (input.network.ranks > 1) {
    switch (input.progress) {
      case SumProgress::beside:
        sum_beside(input, result);
        break;
      case SumProgress::sharing:
        sum_sharing(input, result);
        break;
      case SumProgress::polled:
        sum_polled(input, result);
        break;
    }
  }
  result.update = remaining_update(input, result);
  return result;
}

}  // namespace convoy
