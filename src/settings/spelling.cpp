#include "settings/spelling.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace convoy {
namespace {

char plain(char letter) {
  return letter == '_' ? '-' : letter;
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  // Damerau and Levenshtein, optimal string alignment: three rows of the table.
  std::vector<int> before(b.size() + 1);
  std::vector<int> previous(b.size() + 1);
  std::vector<int> current(b.size() + 1);
  std::iota(previous.begin(), previous.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool equal = plain(a[i - 1]) == plain(b[j - 1]);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (equal ? 0 : 1)});
      if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]))
        current[j] = std::min(current[j], before[j - 2] + 1);
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

std::string nearest_name(std::string_view text, const std::vector<std::string_view>& names) {
  int least = static_cast<int>(std::max<std::size_t>(1, text.size() / 3)) + 1;
  std::string_view nearest;
  for (const std::string_view name : names) {
    const int distance = edit_distance(text, name);
    if (distance < least) least = distance, nearest = name;
  }
  return std::string(nearest);
}

}  // namespace convoy
