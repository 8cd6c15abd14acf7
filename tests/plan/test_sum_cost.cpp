#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "comm/slice_pieces.hpp"
#include "plan/sum_cost.hpp"

namespace convoy {
namespace {

constexpr Link nvlink{.latency = 1e-6, .bandwidth = 400e9};
constexpr Link ethernet{.latency = 10e-6, .bandwidth = 50e9};

RankNetwork network_of(int ranks, int per_node) {
  return {.ranks = ranks, .ranks_per_node = per_node, .node = nvlink, .network = ethernet};
}

TEST(SumCost, OneRankSendsNothing) {
  for (const auto& [word, algorithm] : sum_algorithm_words()) {
    EXPECT_EQ(sum_cost(algorithm, network_of(1, 1), 1e6).seconds(), 0) << word;
    EXPECT_EQ(sum_traffic(algorithm, network_of(1, 1), 1e6).rank, 0) << word;
  }
}

TEST(SumCost, RingByHand) {
  // Eight ranks of one node: 14 steps of 1 µs, each with an eighth of 8 MB at 400 GB/s.
  const SumCost local = sum_cost(SumAlgorithm::ring, network_of(8, 8), 8e6);
  EXPECT_DOUBLE_EQ(local.latency, 14e-6);
  EXPECT_DOUBLE_EQ(local.transfer, 14.0 / 8 * 8e6 / 400e9);
  // Two nodes of four: two of the 14 steps wait for the network, and it is the narrowest place.
  const SumCost far = sum_cost(SumAlgorithm::ring, network_of(8, 4), 8e6);
  EXPECT_DOUBLE_EQ(far.latency, 2 * 10e-6 + 12e-6);
  EXPECT_DOUBLE_EQ(far.transfer, 14.0 / 8 * 8e6 / 50e9);
}

TEST(SumCost, TreeByHand) {
  const SumCost cost = sum_cost(SumAlgorithm::tree, network_of(64, 8), 8e6);
  EXPECT_DOUBLE_EQ(cost.latency, 2 * 7 * 1e-6 + 2 * 3 * 10e-6);
  EXPECT_DOUBLE_EQ(cost.transfer, 2 * 8e6 / 50e9);
}

TEST(SumCost, TwoLevelsByHand) {
  const SumCost cost = sum_cost(SumAlgorithm::two_level, network_of(32, 8), 8e6);
  EXPECT_DOUBLE_EQ(cost.latency, 14e-6 + 4 * 10e-6);
  EXPECT_DOUBLE_EQ(cost.transfer, 2 * 7.0 / 8 * 8e6 / 400e9 + 2 * 3.0 / 4 * 8e6 / 50e9);
}

TEST(SumCost, AutomaticIsTheFasterOfRingAndTree) {
  for (const double bytes : {1e3, 1e5, 8e6, 1e9})
    for (const int ranks : {8, 64, 1024}) {
      const RankNetwork network = network_of(ranks, 8);
      EXPECT_DOUBLE_EQ(sum_cost(SumAlgorithm::automatic, network, bytes).seconds(),
                       std::min(sum_cost(SumAlgorithm::ring, network, bytes).seconds(),
                                sum_cost(SumAlgorithm::tree, network, bytes).seconds()));
    }
  // Small sums over many ranks go by the tree, large ones over few by the ring.
  const RankNetwork many = network_of(1024, 8), few = network_of(8, 8);
  EXPECT_LT(sum_cost(SumAlgorithm::tree, many, 1e5).seconds(),
            sum_cost(SumAlgorithm::ring, many, 1e5).seconds());
  EXPECT_LT(sum_cost(SumAlgorithm::ring, few, 1e9).seconds(),
            sum_cost(SumAlgorithm::tree, few, 1e9).seconds());
}

TEST(SumCost, DirectMovesThroughMemoryAndNetworkAtATime) {
  // Two nodes of two ranks: each rank moves 2 · 3/4 of the bytes, a node sends 2 · 2 · 2/4 of them.
  RankNetwork network = network_of(4, 2);
  network.node.bandwidth = 2e9;
  network.network = {.latency = 0, .bandwidth = 1e9};
  const double bytes = 1e6;
  EXPECT_DOUBLE_EQ(sum_cost(SumAlgorithm::direct, network, bytes).transfer, 2 * bytes / 1e9);
  network.network.bandwidth = 10e9;
  EXPECT_DOUBLE_EQ(sum_cost(SumAlgorithm::direct, network, bytes).transfer, 1.5 * bytes / 2e9);
}

TEST(SumCost, DirectWaitsForHandshakesOfLargeMessages) {
  RankNetwork network = network_of(2, 1);
  network.network.latency = 1e-3;
  EXPECT_DOUBLE_EQ(sum_cost(SumAlgorithm::direct, network, 1e4).latency, 2e-3);
  EXPECT_DOUBLE_EQ(sum_cost(SumAlgorithm::direct, network, 1e6).latency, 6e-3);
  // Where bandwidth is endless, only as many pieces as are in flight share their latencies.
  network.node.bandwidth = network.network.bandwidth = 1e18;
  const double piece = direct_piece_bytes(2), windows = 10;
  EXPECT_NEAR(sum_cost(SumAlgorithm::direct, network, windows * direct_pieces_in_flight() * piece).seconds(),
              windows * 6e-3, 1e-9);
}

// What slice_sum sends, counted message by message.
TEST(SumCost, TrafficOfDirectIsThatOfItsMessages) {
  for (const auto& [ranks, per_node] : std::vector<std::pair<int, int>>{{2, 1}, {4, 2}, {6, 3}, {8, 8}}) {
    const double bytes = 960e3, part = bytes / ranks;
    double by_rank = 0, by_node = 0;  // of rank 0, and of the node with it
    for (int from = 0; from < per_node; ++from)
      for (int to = 0; to < ranks; ++to) {
        if (to == from) continue;
        if (from == 0) by_rank += 2 * part;  // its part in the first round, the sum of its own in the second
        if (to / per_node != from / per_node) by_node += 2 * part;
      }
    const SumTraffic traffic = sum_traffic(SumAlgorithm::direct, network_of(ranks, per_node), bytes);
    EXPECT_NEAR(traffic.rank, by_rank, 1e-6 * by_rank);
    EXPECT_NEAR(traffic.node, by_node, 1e-6 * bytes);
  }
}

TEST(SumCost, PiecesAreThoseOfTheCollective) {
  EXPECT_DOUBLE_EQ(direct_piece_bytes(2), 2.0 * 512 * 1024);
  EXPECT_DOUBLE_EQ(direct_piece_bytes(1000), 16.0 * 1024 * 1024);
}

}  // namespace
}  // namespace convoy
