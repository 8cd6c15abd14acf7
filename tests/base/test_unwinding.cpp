#include <gtest/gtest.h>

#include <stdexcept>

#include "base/unwinding.hpp"

namespace convoy {
namespace {

// Writes down what its destructor sees.
class Witness {
 public:
  explicit Witness(bool& unwound) : unwound_(unwound) {}
  ~Witness() { unwound_ = unwind_.unwinding(); }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

 private:
  bool& unwound_;
  UnwindDetector unwind_;
};

// Uses a Witness while it is destroyed itself.
class UsesOneAtItsEnd {
 public:
  explicit UsesOneAtItsEnd(bool& unwound) : unwound_(unwound) {}
  ~UsesOneAtItsEnd() { const Witness inner(unwound_); }
  UsesOneAtItsEnd(const UsesOneAtItsEnd&) = delete;
  UsesOneAtItsEnd& operator=(const UsesOneAtItsEnd&) = delete;

 private:
  bool& unwound_;
};

template <typename Object>
bool unwound_by_a_throw() {
  bool unwound = false;
  try {
    const Object object(unwound);
    throw std::runtime_error("on its way");
  } catch (const std::runtime_error&) {
  }
  return unwound;
}

TEST(UnwindDetector, TellsAThrowFromTheEndOfAScope) {
  bool unwound = true;
  { const Witness witness(unwound); }
  EXPECT_FALSE(unwound);
  EXPECT_TRUE(unwound_by_a_throw<Witness>());
}

TEST(UnwindDetector, ExceptionsFromBeforeDoNotCount) {
  EXPECT_FALSE(unwound_by_a_throw<UsesOneAtItsEnd>());
  bool unwound = true;
  try {
    throw std::runtime_error("caught");
  } catch (const std::runtime_error&) {
    const Witness witness(unwound);
  }
  EXPECT_FALSE(unwound);
}

}  // namespace
}  // namespace convoy
