// Detects in a destructor whether an exception is unwinding through its object. A destructor that waits for
// other ranks or for a device must not wait in that case: they may never arrive. A member of such classes
// (comm/, train/).
#pragma once

#include <exception>

namespace convoy {

// Belongs to the thread that created it.
class UnwindDetector {
 public:
  // Whether an exception was thrown since the construction and is not caught yet.
  bool unwinding() const noexcept { return std::uncaught_exceptions() > before_; }

 private:
  int before_ = std::uncaught_exceptions();
};

}  // namespace convoy
