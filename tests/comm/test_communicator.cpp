#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <thread>

#include "support/mpi_test.hpp"

namespace convoy::test {
namespace {

TEST(Communicator, KnowsRanksAndNodes) {
  auto& comm = world();
  ASSERT_GE(comm.rank(), 0);
  ASSERT_LT(comm.rank(), comm.size());
  // Tests run on one host.
  EXPECT_EQ(comm.local_rank(), comm.rank());
  EXPECT_EQ(comm.local_size(), comm.size());
  EXPECT_EQ(comm.node(), 0);
  EXPECT_EQ(comm.nodes(), 1);
  EXPECT_FALSE(comm.library().empty());
  EXPECT_EQ(comm.library().find('\n'), std::string::npos);
}

TEST(Communicator, SumsAndMaxima) {
  auto& comm = world();
  const double ranks = comm.size(), mine = comm.rank() + 1;
  std::vector<double> values{mine, -mine, 0.5};
  comm.sum(std::span(values));
  EXPECT_EQ(values[0], ranks * (ranks + 1) / 2);
  EXPECT_EQ(values[1], -ranks * (ranks + 1) / 2);
  EXPECT_EQ(values[2], ranks / 2);

  // Beyond what a double holds exactly.
  std::vector<std::int64_t> integers{(std::int64_t{1} << 60) + comm.rank()};
  comm.sum(std::span(integers));
  std::int64_t expected = 0;
  for (int i = 0; i < comm.size(); ++i) expected += (std::int64_t{1} << 60) + i;
  EXPECT_EQ(integers[0], expected);

  values = {mine, -mine};
  comm.maximum(std::span(values));
  EXPECT_EQ(values[0], ranks);
  EXPECT_EQ(values[1], -1);
}

// All ranks end: the error of a rank that was not merely left alone counts, whatever else is under way.
TEST(Communicator, EndsTogether) {
  auto& comm = world();
  const std::vector<double> values(6, 1.0);
  std::unique_ptr<PendingSum> under_way;
  if (comm.rank() == 0) under_way = comm.start_sum(values);
  const bool late = comm.rank() == 0 && comm.size() > 1;  // it comes when the others have waited in vain
  const Error mine(comm.rank() == comm.size() - 1 ? ExitCode::bad_data : ExitCode::device, "what was wrong");
  if (late) comm.barrier();
  if (!late && comm.size() > 1) {
    EXPECT_FALSE(comm.end_together(mine, 0.1)) << "rank 0 still works";
    comm.barrier();
  }
  const std::optional<Ending> ending = comm.end_together(mine, 20);
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->code, ExitCode::bad_data);
  EXPECT_EQ(ending->alike, comm.size() == 1);
  if (comm.rank() != 0) under_way = comm.start_sum(values);
  EXPECT_EQ(under_way->wait()[0], comm.size());
}

TEST(Communicator, BroadcastsFromAnyRoot) {
  auto& comm = world();
  for (int root = 0; root < comm.size(); ++root) {
    std::vector<std::byte> bytes(100'003);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = comm.rank() == root ? static_cast<std::byte>(i * 7 + root) : std::byte{0};
    }
    comm.broadcast(bytes, root);
    for (std::size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], static_cast<std::byte>(i * 7 + root));
    const std::string text = comm.rank() == root ? std::string("a\0b", 3) : std::string("something else");
    EXPECT_EQ(comm.broadcast_text(text, root), std::string("a\0b", 3));
    EXPECT_EQ(comm.broadcast_text(comm.rank() == root ? "" : "x", root), "");
  }
}

// "", "bbb", "cccccc", …
std::string text_of(int rank) {
  return std::string(static_cast<std::size_t>(rank) * 3, static_cast<char>('a' + rank));
}

TEST(Communicator, GathersTextsOfDifferentLengths) {
  auto& comm = world();
  const auto texts = comm.gather_texts(text_of(comm.rank()));
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(comm.size()));
  for (int i = 0; i < comm.size(); ++i) {
    EXPECT_EQ(texts[static_cast<std::size_t>(i)], text_of(i));
  }
}

TEST(Communicator, SumsInTheBackground) {
  auto& comm = world();
  std::vector<std::unique_ptr<PendingSum>> pending;
  for (int i = 0; i < 4; ++i) {
    const std::vector<double> values{double(i), double(comm.rank())};
    pending.push_back(comm.start_sum(values));
    comm.barrier();  // the control plane does not disturb sums under way
  }
  while (!pending.back()->ready()) std::this_thread::yield();
  for (int i = 3; i >= 0; --i) {  // in any order
    const auto sums = pending[static_cast<std::size_t>(i)]->wait();
    ASSERT_EQ(sums.size(), 2u);
    EXPECT_EQ(sums[0], double(i) * comm.size());
    EXPECT_EQ(sums[1], comm.size() * (comm.size() - 1) / 2.0);
  }
  auto dropped = comm.start_sum(std::vector<double>{1.0});
  dropped.reset();
  comm.barrier();
}

TEST(Communicator, RankZeroWorksForAll) {
  auto& comm = world();
  int calls = 0;
  const std::string text = comm.on_rank_zero([&] {
    ++calls;
    return std::string("found it");
  });
  EXPECT_EQ(text, "found it");
  EXPECT_EQ(calls, comm.rank() == 0 ? 1 : 0);
}

TEST(Communicator, ErrorsOfRankZeroReachAll) {
  auto& comm = world();
  try {
    comm.on_rank_zero([]() -> std::string { fail(ExitCode::bad_data, "the file {} is torn", "x.h5"); });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::bad_data);
    EXPECT_STREQ(error.what(), "the file x.h5 is torn");
  }
  try {
    comm.on_rank_zero([]() -> std::string { throw std::runtime_error("odd"); });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::bug);
    EXPECT_STREQ(error.what(), "unexpected error: odd");
  }
  comm.barrier();  // still in step
}

// A rank that waits for others leaves its core to them.
TEST(Communicator, WaitsWithoutBurningACore) {
  auto& comm = world();
  if (comm.size() == 1) GTEST_SKIP() << "one rank waits for nobody";
  comm.barrier();
  const std::clock_t start = std::clock();
  comm.on_rank_zero([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    return std::string();
  });
  const double seconds = double(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 0.2);  // half of the wait; a spinning wait takes all of it
}

}  // namespace
}  // namespace convoy::test
