// Tells a destructor whether an exception is on its way through its object. What waits for other ranks or for
// a device must not do so then: they may never come. A member of the classes that do (comm/, train/).
#pragma once

#include <exception>

namespace convoy {

// Belongs to the thread that made it.
class UnwindDetector {
 public:
  // Whether an exception was thrown since this was made and is not caught yet.
  bool unwinding() const noexcept { return std::uncaught_exceptions() > before_; }

 private:
  int before_ = std::uncaught_exceptions();
};

}  // namespace convoy
