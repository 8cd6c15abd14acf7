// What ranks send each other arrives as it was: every bit of a number, every byte of a text.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/message.hpp"

namespace convoy {
namespace {

struct Sent {
  std::string text;
  std::vector<double> doubles;
  std::vector<float> floats;
  std::int64_t least = 0;
  std::uint64_t most = 0;
  ExitCode code = ExitCode::done;
  float fixed[2] = {};
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Sent, text, doubles, floats, least, most, code, fixed)

template <typename Real>
std::vector<Real> awkward_numbers() {
  using Limits = std::numeric_limits<Real>;
  return {Real{0},           -Real{0},           Real(0.1),
          Real(1) / 3,       Real(1e-30),        Limits::denorm_min(),
          Limits::min(),     Limits::max(),      Limits::lowest(),
          Limits::epsilon(), Limits::infinity(), -Limits::infinity()};
}

template <typename Bits, typename Real>
std::vector<Bits> bits_of(const std::vector<Real>& numbers) {
  std::vector<Bits> bits(numbers.size());
  std::ranges::transform(numbers, bits.begin(), [](Real number) { return std::bit_cast<Bits>(number); });
  return bits;
}

TEST(Message, KeepsEveryBit) {
  const Sent sent{.text = std::string("a\0\n\xFF\xC3(", 6),
                  .doubles = awkward_numbers<double>(),
                  .floats = awkward_numbers<float>(),
                  .least = std::numeric_limits<std::int64_t>::min(),
                  .most = std::numeric_limits<std::uint64_t>::max(),
                  .code = ExitCode::stopped,
                  .fixed = {0.1F, -3}};
  const Sent received = from_message<Sent>(to_message(sent));
  EXPECT_EQ(received.text, sent.text);
  EXPECT_EQ(bits_of<std::uint64_t>(received.doubles), bits_of<std::uint64_t>(sent.doubles));
  EXPECT_EQ(bits_of<std::uint32_t>(received.floats), bits_of<std::uint32_t>(sent.floats));
  EXPECT_EQ(received.least, sent.least);
  EXPECT_EQ(received.most, sent.most);
  EXPECT_EQ(received.code, sent.code);
  EXPECT_EQ(received.fixed[0], sent.fixed[0]);
  EXPECT_EQ(received.fixed[1], sent.fixed[1]);
}

TEST(Message, KeepsNotANumber) {
  const double sent = std::numeric_limits<double>::quiet_NaN();
  const auto received = from_message<double>(to_message(sent));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(received), std::bit_cast<std::uint64_t>(sent));
}

TEST(Message, RefusesAnotherText) {
  EXPECT_ANY_THROW(from_message<Sent>("no message"));
  EXPECT_ANY_THROW(from_message<Sent>(to_message(std::string("another value"))));
  EXPECT_ANY_THROW(from_message<Sent>(""));
}

}  // namespace
}  // namespace convoy
