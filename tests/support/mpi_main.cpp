#include <gtest/gtest.h>

#include <memory>

#include "support/mpi_test.hpp"

namespace convoy::test {
namespace {

// Holds the Communicator for the length of main; tests reach it through world().
std::unique_ptr<Communicator>& holder() {
  static std::unique_ptr<Communicator> communicator;
  return communicator;
}

}  // namespace

Communicator& world() {
  return *holder();
}

}  // namespace convoy::test

int main(int argc, char** argv) {
  auto& communicator = convoy::test::holder();
  communicator = std::make_unique<convoy::Communicator>(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  if (communicator->rank() != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    // Other ranks stay quiet unless something fails there.
    if (!testing::GTEST_FLAG(list_tests)) listeners.Release(listeners.default_result_printer());
    class Failures : public testing::EmptyTestEventListener {
      void OnTestPartResult(const testing::TestPartResult& result) override {
        if (!result.failed()) return;
        std::fprintf(stderr, "rank %d: %s:%d: %s\n", convoy::test::world().rank(),
                     result.file_name() ? result.file_name() : "?", result.line_number(), result.summary());
      }
    };
    listeners.Append(new Failures);
  }
  double failed = RUN_ALL_TESTS() != 0;
  const bool mine = failed > 0;
  communicator->sum(std::span<double>(&failed, 1));
  if (failed > 0 && !mine && communicator->rank() == 0) std::printf("[  FAILED  ] on another rank\n");
  communicator.reset();
  return failed > 0 ? 1 : 0;
}
