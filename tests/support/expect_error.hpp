// Checks both an Error's category and that its text tells what a user needs.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "base/error.hpp"

namespace convoy::test {

// `action` must throw an Error of `category` whose text holds all of `parts`.
template <typename Action>
void expect_error(ExitCode category, std::initializer_list<std::string> parts, Action&& action) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.category()), static_cast<int>(category)) << error.what();
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << part << "' is not in: " << error.what();
  }
}

}  // namespace convoy::test
