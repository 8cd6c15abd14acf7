// What a sum of gradients over all ranks costs, by formulas. Pure functions; used by step_prediction.cpp for
// each bucket and by calibration.cpp, which fits a link to measured sums.
//
// A message of n bytes takes α + n/B: latency and bandwidth (Hockney 1994, "The communication challenge for
// MPP"). P ranks, N nodes with L ranks each, n bytes a rank:
//
// ring        2(P−1) steps, in each of which every rank passes n/P on (Patarasuk and Yuan 2009, "Bandwidth
//             optimal all-reduce algorithms for clusters of workstations"):
//             2(P−1)/P · n/B + 2(N−1) α_network + 2(P−N) α_node.
//             B is the narrower of the node's adapters, which the ring passes once in each direction (NCCL
//             makes a ring for each adapter and they share the bytes), and of the links in a node. 2(N−1) of
//             the 2(P−1) steps wait for the network, as NCCL's own estimate counts them.
// tree        up and down again; a chain in each node and a double binary tree between nodes (Sanders, Speck
//             and Träff 2009), each half of the bytes: 2n/B + 2(L−1) α_node + 2⌈log₂N⌉ α_network. Bytes are
//             cut into chunks that follow each other, so latencies count once.
// two-level   reduce-scatter in each node, an all-reduce of each L-th part between nodes by recursive halving
//             and doubling (Rabenseifner's; Thakur, Rabenseifner and Gropp 2005, "Optimization of collective
//             communication operations in MPICH"), all-gather in the node:
//             2(L−1)(α_node + n/(L·B_node)) + 2⌈log₂N⌉ α_network + 2(N−1)/N · n/B_network.
// direct      Convoy's own sum by MPI (comm/slice_sum.hpp): every rank sends every other rank that rank's
// part
//             and, once it has added them, the sum of its own. Two rounds, pieces in flight side by side:
//             each rank moves 2(P−1)/P · n through memory, and a node sends and receives 2L(P−L)/P · n by its
//             adapters. Both go on at the same time; the slower one counts. A message above the library's
//             eager limit begins with a request and an answer, so a round has three latencies.
#pragma once

#include "base/words.hpp"

namespace convoy {

// Seconds, and bytes a second in one direction.
struct Link {
  double latency = 0, bandwidth = 0;
};

enum class SumAlgorithm { automatic, ring, tree, two_level, direct };

inline Words<SumAlgorithm> sum_algorithm_words() {
  return {{"auto", SumAlgorithm::automatic},
          {"ring", SumAlgorithm::ring},
          {"tree", SumAlgorithm::tree},
          {"two-level", SumAlgorithm::two_level},
          {"direct", SumAlgorithm::direct}};
}

struct RankNetwork {
  int ranks = 1, ranks_per_node = 1;
  Link node =
      {};  // of a rank to the others of its node; direct: of memory, as the rank's core moves and adds
  Link network = {};  // of a node: its ranks share its adapters
  int nodes() const { return (ranks + ranks_per_node - 1) / ranks_per_node; }
};

// The latencies and the time for bytes of one sum, which add up to its seconds.
struct SumCost {
  double latency = 0, transfer = 0;
  double work = 0;  // direct: the part of `transfer` in which a core of the rank is busy
  double seconds() const { return latency + transfer; }
};

// `automatic` is the faster of ring and tree, which is how NCCL chooses. One rank: nothing.
SumCost sum_cost(SumAlgorithm algorithm, const RankNetwork& network, double bytes);

// What the sum of `bytes` sends from each rank, and what the adapters of a node send.
struct SumTraffic {
  double rank = 0, node = 0;
};
SumTraffic sum_traffic(SumAlgorithm algorithm, const RankNetwork& network, double bytes);

// The messages of `direct`: bytes of a piece (comm/mpi_collective.cpp cuts buckets into them), and how many
// are in flight.
double direct_piece_bytes(int ranks);
int direct_pieces_in_flight();
// One-way latencies that a piece of `bytes` waits for: two rounds, each with a handshake if its messages are
// large.
int direct_latencies(int ranks, double bytes);

}  // namespace convoy
