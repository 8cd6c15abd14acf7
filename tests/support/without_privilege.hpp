// Tests of permissions that root does not need.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

namespace convoy::test {

// Gives up root's right to read everything until the end of the scope.
class WithoutPrivilege {
 public:
  WithoutPrivilege() {
    if (before_ == 0) {
      EXPECT_EQ(::seteuid(65534), 0);
    }
  }
  ~WithoutPrivilege() { EXPECT_EQ(::seteuid(before_), 0); }
  WithoutPrivilege(const WithoutPrivilege&) = delete;
  WithoutPrivilege& operator=(const WithoutPrivilege&) = delete;

 private:
  uid_t before_ = ::geteuid();
};

}  // namespace convoy::test
