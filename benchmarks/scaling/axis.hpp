// Where values lie along an axis of a plot, and the marks on it. For the plots of benchmark_scaling_page.
#pragma once

#include <string>
#include <vector>

namespace convoy::scaling {

class Axis {
 public:
  // Values from `low` to `high` between the pixels `begin` and `end`, whichever is larger. A logarithmic axis
  // has positive values only; where low and high are equal, every value lies in the middle.
  Axis(double low, double high, double begin, double end, bool logarithmic)
      : low_(low), high_(high), begin_(begin), end_(end), logarithmic_(logarithmic) {}

  double at(double value) const;

 private:
  double low_, high_, begin_, end_;
  bool logarithmic_;
};

// 0, 20, 40, …: from 0 to at least `high`, at most `most` steps of 1, 2 or 5 times a power of ten.
std::vector<double> linear_marks(double high, int most);

// 1, 2, 5, 10, …, or powers of ten where those would be more than nine: the first is at most `low`, the last
// at least `high`.
std::vector<double> logarithmic_marks(double low, double high);

// "0.5", "1,200".
std::string number_text(double value);

}  // namespace convoy::scaling
