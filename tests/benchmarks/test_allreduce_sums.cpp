// What benchmark_allreduce counts as wrong, and what it tells of times; its sums over real ranks.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "allreduce/sum_check.hpp"
#include "allreduce/sum_table.hpp"

namespace convoy::benchmark {
namespace {

// What a right sum over `ranks` leaves in each rank's buffer.
std::vector<float> right_sums(int ranks, std::size_t elements) {
  std::vector<float> sums(elements), one(elements);
  for (int rank = 0; rank < ranks; ++rank) {
    fill_with_own_values(rank, one);
    for (std::size_t i = 0; i < elements; ++i) sums[i] += one[i];
  }
  return sums;
}

TEST(SumCheck, RightSumsHaveNothingWrong) {
  for (const int ranks : {1, 2, 7, 300})
    EXPECT_EQ(count_wrong(right_sums(ranks, 5000), ranks, WirePrecision::fp32), 0U) << ranks;
}

TEST(SumCheck, EachPlantedErrorCounts) {
  std::vector<float> sums = right_sums(3, 5000);
  sums[0] += 1;
  sums[1021] = std::numeric_limits<float>::quiet_NaN();
  sums[4999] = std::nextafter(sums[4999], 1000.0F);
  EXPECT_EQ(count_wrong(sums, 3, WirePrecision::fp32), 3U);
}

// Ranks that were left out, summed twice or put into another place.
TEST(SumCheck, OtherSumsAreMostlyWrong) {
  const std::size_t elements = 64 * 1024;
  EXPECT_GT(count_wrong(right_sums(3, elements), 4, WirePrecision::fp32), elements / 2);
  EXPECT_GT(count_wrong(std::vector<float>(elements), 4, WirePrecision::fp32), elements * 3 / 4);
  const std::vector<float> sums = right_sums(4, 2 * elements);
  EXPECT_GT(count_wrong({sums.begin() + elements / 2, sums.begin() + elements}, 4, WirePrecision::fp32),
            elements / 4);
}

TEST(SumCheck, EveryRankIsMissed) {
  const int ranks = 8;
  const std::size_t elements = 4096;
  std::vector<float> own(elements);
  for (int left_out = 0; left_out < ranks; ++left_out) {
    std::vector<float> sums = right_sums(ranks, elements);
    fill_with_own_values(left_out, own);
    for (std::size_t i = 0; i < elements; ++i) sums[i] -= own[i];
    EXPECT_EQ(count_wrong(sums, ranks, WirePrecision::fp32), elements) << left_out;
  }
}

TEST(SumCheck, ANarrowWireMayRound) {
  std::vector<float> sums = right_sums(100, 2000);
  const float right = sums[500];
  sums[500] = right * (1 + 0.5F * 100 / 256);
  EXPECT_EQ(count_wrong(sums, 100, WirePrecision::bf16), 0U);
  EXPECT_EQ(count_wrong(sums, 100, WirePrecision::fp32), 1U);
  sums[500] = right * 2;
  EXPECT_EQ(count_wrong(sums, 100, WirePrecision::bf16), 1U);
}

TEST(SumTable, SpeaksNcclTestsWords) {
  SumResults results;
  results.ranks = 4;
  results.type = "float";
  results.device = "CPU";
  results.transport = "mpi";
  results.rows = {{.how = "convoy",
                   .bytes = 8'000'000,
                   .whole = 8'000'000,
                   .wrong = 2,
                   .time = time_of({0.02, 0.004, 0.03})}};
  const SumRow& row = results.rows[0];
  EXPECT_DOUBLE_EQ(row.time.seconds, 0.02);
  EXPECT_DOUBLE_EQ(row.time.least, 0.004);
  EXPECT_DOUBLE_EQ(row.time.most, 0.03);
  EXPECT_DOUBLE_EQ(algorithm_bandwidth(row), 0.4);
  EXPECT_DOUBLE_EQ(bus_bandwidth(row, 4), 0.6);
  EXPECT_DOUBLE_EQ(bus_bandwidth(row, 1), 0);
  const std::string head = table_head(results, "sums");
  for (const char* word : {"size", "count", "type", "redop", "time", "algbw", "busbw", "#wrong", "in place"})
    EXPECT_NE(head.find(word), std::string::npos) << word;
  const std::string line = table_line(results, row);
  for (const char* word : {"8000000", "2000000", "float", "sum", "20000", "0.40", "0.60", " 2\n"})
    EXPECT_NE(line.find(word), std::string::npos) << word << " in " << line;
  const auto json = to_json(results);
  EXPECT_EQ(json["benchmark"], "allreduce");
  EXPECT_DOUBLE_EQ(json["rows"][0]["busbw"].get<double>(), 0.6);
  EXPECT_EQ(json["rows"][0]["wrong"], 2);
  EXPECT_FALSE(json.contains("gradient"));
}

}  // namespace
}  // namespace convoy::benchmark
