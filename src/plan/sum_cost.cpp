#include "plan/sum_cost.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "comm/slice_pieces.hpp"

namespace convoy {
namespace {

// Open MPI's for TCP; for shared memory it is smaller, but there a latency is far below the time of copying.
constexpr double eager_bytes = 65536;

int rounds_up(int value) {
  return static_cast<int>(std::ceil(std::log2(std::max(value, 1)) - 1e-9));
}

double slower(const RankNetwork& network) {
  if (network.nodes() == 1) return network.node.bandwidth;
  if (network.ranks_per_node == 1) return network.network.bandwidth;
  return std::min(network.node.bandwidth, network.network.bandwidth);
}

SumCost ring(const RankNetwork& network, double bytes) {
  const double ranks = network.ranks, nodes = network.nodes();
  return {.latency = 2 * (nodes - 1) * network.network.latency + 2 * (ranks - nodes) * network.node.latency,
          .transfer = 2 * (ranks - 1) / ranks * bytes / slower(network)};
}

SumCost tree(const RankNetwork& network, double bytes) {
  return {.latency = 2 * (network.ranks_per_node - 1) * network.node.latency +
                     2 * rounds_up(network.nodes()) * network.network.latency,
          .transfer = 2 * bytes / slower(network)};
}

SumCost two_level(const RankNetwork& network, double bytes) {
  const double local = network.ranks_per_node, nodes = network.nodes();
  SumCost cost;
  if (local > 1) {
    cost.latency += 2 * (local - 1) * network.node.latency;
    cost.transfer += 2 * (local - 1) / local * bytes / network.node.bandwidth;
  }
  if (nodes > 1) {
    cost.latency += 2 * rounds_up(network.nodes()) * network.network.latency;
    cost.transfer += 2 * (nodes - 1) / nodes * bytes / network.network.bandwidth;
  }
  return cost;
}

SumCost direct(const RankNetwork& network, double bytes) {
  const SumTraffic traffic = sum_traffic(SumAlgorithm::direct, network, bytes);
  const bool several_nodes = network.nodes() > 1;
  const double alpha = several_nodes ? network.network.latency : network.node.latency;
  const double piece = direct_piece_bytes(network.ranks);
  SumCost cost{.latency = direct_latencies(network.ranks, std::min(bytes, piece)) * alpha,
               .transfer = traffic.rank / network.node.bandwidth,
               .work = traffic.rank / network.node.bandwidth};
  if (several_nodes) cost.transfer = std::max(cost.transfer, traffic.node / network.network.bandwidth);
  // Only so many pieces wait for their latencies at a time.
  const double windows = bytes / (piece * direct_pieces_in_flight());
  if (windows > 1) cost.transfer = std::max(cost.transfer, (windows - 1) * cost.latency);
  return cost;
}

}  // namespace

double direct_piece_bytes(int ranks) {
  return static_cast<double>(slice_piece_elements(ranks) * sizeof(float));
}

int direct_pieces_in_flight() {
  return static_cast<int>(slice_pieces_in_flight);
}

int direct_latencies(int ranks, double bytes) {
  return bytes / ranks > eager_bytes ? 6 : 2;
}

SumTraffic sum_traffic(SumAlgorithm algorithm, const RankNetwork& network, double bytes) {
  if (network.ranks <= 1) return {};
  const double ranks = network.ranks, local = network.ranks_per_node, nodes = network.nodes();
  const bool several_nodes = nodes > 1;
  const double least = 2 * (ranks - 1) / ranks * bytes;
  switch (algorithm) {
    case SumAlgorithm::automatic:
    case SumAlgorithm::ring:
      return {.rank = least, .node = several_nodes ? least : 0};
    case SumAlgorithm::tree:
      return {.rank = 2 * bytes, .node = several_nodes ? 2 * bytes : 0};
    case SumAlgorithm::two_level:
      return {.rank = least, .node = 2 * (nodes - 1) / nodes * bytes};
    case SumAlgorithm::direct:
      return {.rank = least, .node = several_nodes ? 2 * local * (ranks - local) / ranks * bytes : 0};
  }
  return {};
}

SumCost sum_cost(SumAlgorithm algorithm, const RankNetwork& network, double bytes) {
  if (network.ranks <= 1 || bytes <= 0) return {};
  switch (algorithm) {
    case SumAlgorithm::ring:
      return ring(network, bytes);
    case SumAlgorithm::tree:
      return tree(network, bytes);
    case SumAlgorithm::two_level:
      return two_level(network, bytes);
    case SumAlgorithm::direct:
      return direct(network, bytes);
    case SumAlgorithm::automatic:
      break;
  }
  const SumCost by_ring = ring(network, bytes), by_tree = tree(network, bytes);
  return by_tree.seconds() < by_ring.seconds() ? by_tree : by_ring;
}

}  // namespace convoy
