#include <gtest/gtest.h>

#include <cstdint>

#include "base/counted.hpp"

namespace convoy {
namespace {

TEST(Counted, OneIsSingular) {
  EXPECT_EQ(counted(1, "step"), "1 step");
  EXPECT_EQ(counted(std::int64_t{0}, "step"), "0 steps");
  EXPECT_EQ(counted(12345678, "image"), "12345678 images");
  EXPECT_EQ(counted(1.0, "epoch"), "1 epoch");
  EXPECT_EQ(counted(1.00001, "epoch"), "1 epoch") << "as it is printed";
  EXPECT_EQ(counted(0.5, "epoch"), "0.5 epochs");
  EXPECT_EQ(counted(2.0 / 3, "epoch"), "0.6667 epochs");
}

}  // namespace
}  // namespace convoy
