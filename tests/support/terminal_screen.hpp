// A terminal of a given width as programs see it: shows what a user would, from the characters and control
// sequences that were written. For tests of displays that overwrite a line.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

namespace convoy::test {

class TerminalScreen {
 public:
  explicit TerminalScreen(std::size_t columns) : columns_(columns) {}

  void write(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
      const auto byte = static_cast<unsigned char>(bytes[i]);
      if (bytes.substr(i).starts_with("\033[")) {
        std::size_t end = i + 2;
        while (end < bytes.size() && std::isalpha(static_cast<unsigned char>(bytes[end])) == 0) ++end;
        control(bytes.substr(i + 2, end - i - 2), end < bytes.size() ? bytes[end] : ' ');
        i = end + 1;
      } else {
        std::size_t length = 1;
        while (i + length < bytes.size() && (static_cast<unsigned char>(bytes[i + length]) & 0xC0U) == 0x80U)
          ++length;
        if (byte == '\r')
          column_ = 0;
        else if (byte == '\n')
          new_row();
        else
          put(std::string(bytes.substr(i, length)));
        i += length;
      }
    }
  }

  // Narrower or wider, as terminals do it that wrap again what they show. The cursor stays where it is in its
  // text.
  void resize(std::size_t columns) {
    std::vector<Row> before = std::move(rows_);
    const std::size_t cursor = row_;
    rows_.clear();
    columns_ = columns;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const std::size_t first = rows_.size();
      Row row = before[i];
      do {
        const std::size_t count = std::min(columns, row.size());
        rows_.emplace_back(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(count));
        row.erase(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(count));
      } while (!row.empty());
      if (i == cursor) row_ = first + column_ / columns, column_ %= columns;
    }
  }

  // The rows without blanks at their ends, and without empty rows at the end.
  std::vector<std::string> rows() const {
    std::vector<std::string> texts;
    for (const Row& row : rows_) {
      std::string text;
      for (const std::string& cell : row) text += cell;
      texts.push_back(text.substr(0, text.find_last_not_of(' ') + 1));
    }
    while (!texts.empty() && texts.back().empty()) texts.pop_back();
    return texts;
  }

 private:
  using Row = std::vector<std::string>;  // a character in each cell

  void new_row() {
    if (++row_ >= rows_.size()) rows_.emplace_back();
    column_ = 0;
  }

  void put(const std::string& character) {
    if (column_ >= columns_) {
      if (wraps_)
        new_row();
      else
        column_ = columns_ - 1;
    }
    Row& row = rows_[row_];
    if (row.size() <= column_) row.resize(column_ + 1, " ");
    row[column_++] = character;
  }

  void control(std::string_view parameters, char final) {
    if (final == 'J' && parameters.empty()) {  // erase from the cursor to the end
      rows_.resize(row_ + 1);
      if (rows_[row_].size() > column_) rows_[row_].resize(column_);
    } else if (parameters == "?7") {
      wraps_ = final == 'h';
    }
  }

  std::size_t columns_, row_ = 0, column_ = 0;
  std::vector<Row> rows_ = std::vector<Row>(1);
  bool wraps_ = true;
};

}  // namespace convoy::test
