#include <gtest/gtest.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "base/error.hpp"

namespace convoy {
namespace {

TEST(Error, CarriesItsCategoryAndText) {
  try {
    fail(ExitCode::bad_data, "image {} of {}", 3, "train-00000");
    FAIL() << "fail() returned";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::bad_data);
    EXPECT_STREQ(error.what(), "image 3 of train-00000");
  }
}

// Scripts and schedulers rely on these numbers.
TEST(ExitCode, NumbersAreFixed) {
  EXPECT_EQ(static_cast<int>(ExitCode::done), 0);
  EXPECT_EQ(static_cast<int>(ExitCode::usage), 64);
  EXPECT_EQ(static_cast<int>(ExitCode::bad_data), 65);
  EXPECT_EQ(static_cast<int>(ExitCode::bug), 70);
  EXPECT_EQ(static_cast<int>(ExitCode::device), 71);
  EXPECT_EQ(static_cast<int>(ExitCode::io), 74);
  EXPECT_EQ(static_cast<int>(ExitCode::stopped), 75);
  EXPECT_EQ(static_cast<int>(ExitCode::diverged), 76);
}

TEST(AsError, RefusedThreadsAreALimitOfTheMachine) {
  const auto converted = [](std::errc reason) {
    return as_error(std::make_exception_ptr(std::system_error(std::make_error_code(reason))), "");
  };
  const Error refused = converted(std::errc::resource_unavailable_try_again);
  EXPECT_EQ(refused.category(), ExitCode::device);
  EXPECT_NE(std::string_view(refused.what()).find("ulimit -u"), std::string_view::npos) << refused.what();
  EXPECT_EQ(converted(std::errc::operation_not_permitted).category(), ExitCode::bug);
}

TEST(Ensure, ThrowsABug) {
  EXPECT_NO_THROW(ensure(true, "fine"));
  try {
    ensure(false, "rows fit");
    FAIL() << "ensure() let it pass";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::bug);
    EXPECT_STREQ(error.what(), "internal check failed: rows fit");
  }
}

TEST(SystemErrorText, IsTheSystems) {
  EXPECT_EQ(system_error_text(ENOENT), "No such file or directory");
}

}  // namespace
}  // namespace convoy
