#include "plan/text_table.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/terminal.hpp"

namespace convoy {

std::string TextTable::text() const {
  std::vector<std::size_t> widths(rows_.front().size(), 3);
  for (const auto& row : rows_) {
    ensure(row.size() == widths.size(), "a row of a table has the cells of its head");
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], character_count(row[i]));
  }
  std::string text;
  for (std::size_t number = 0; number < rows_.size(); ++number) {
    text += '|';
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string& cell = rows_[number][i];
      const std::size_t blanks = widths[i] - character_count(cell);
      text += ' ';
      if (i > 0) text.append(blanks, ' ');
      text += cell;
      if (i == 0) text.append(blanks, ' ');
      text += " |";
    }
    text += '\n';
    if (number > 0) continue;
    text += '|';
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += ' ';
      text.append(widths[i] - (i == 0 ? 0 : 1), '-');
      text += i == 0 ? " |" : ": |";
    }
    text += '\n';
  }
  return text;
}

}  // namespace convoy
