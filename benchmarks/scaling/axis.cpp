#include "axis.hpp"

#include <fmt/format.h>

#include <cmath>

namespace convoy::scaling {

double Axis::at(double value) const {
  if (high_ == low_) return 0.5 * (begin_ + end_);
  const double share =
      logarithmic_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
  return begin_ + share * (end_ - begin_);
}

std::vector<double> linear_marks(double high, int most) {
  if (!(high > 0)) high = 1;
  double unit = std::pow(10, std::floor(std::log10(high / most)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (std::ceil(high / (unit * factor) - 1e-9) > most) continue;
    unit *= factor;
    break;
  }
  std::vector<double> marks = {0};
  while (marks.back() < high * (1 - 1e-9)) marks.push_back(unit * static_cast<double>(marks.size()));
  return marks;
}

std::vector<double> logarithmic_marks(double low, double high) {
  const auto among = [&](std::initializer_list<double> factors) {
    std::vector<double> marks;
    for (int power = static_cast<int>(std::floor(std::log10(low))) - 1;; ++power) {
      for (const double factor : factors) {
        const double mark = factor * std::pow(10, power);
        if (mark <= low * (1 + 1e-9)) marks.clear();  // only the last of those counts
        marks.push_back(mark);
        if (mark >= high * (1 - 1e-9) && mark > low) return marks;
      }
    }
  };
  std::vector<double> marks = among({1, 2, 5});
  return marks.size() <= 9 ? marks : among({1});
}

std::string number_text(double value) {
  if (std::abs(value) < 1000) return fmt::format("{:.3g}", value);
  const std::string digits = fmt::format("{:.0f}", value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace convoy::scaling
