#include "sources/text_table.hpp"

#include <algorithm>

namespace convoy {

namespace {

constexpr std::string_view line_ends = "\r\n";

// Reads the text from its start to its end and counts lines.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  bool at_blank() const { return !at_end() && text_[at_] == ' '; }
  std::size_t line() const { return line_; }
  std::size_t open_quote() const { return open_quote_; }

  // Everything up to one of the `ends` or the end of the text.
  std::string_view until(std::string_view ends) {
    const std::size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
    const std::string_view part = text_.substr(at_, end - at_);
    at_ = end;
    return part;
  }

  bool take(char letter) {
    if (at_end() || text_[at_] != letter) return false;
    ++at_;
    return true;
  }

  void take_line_end() {
    const bool returned = take('\r');
    if (take('\n') || returned) ++line_;
  }

  // Text after an opening quote up to the closing one, which is taken too; a doubled quote means itself.
  std::string quoted() {
    std::string text;
    const std::size_t opened = line_;
    for (; !at_end(); take_line_end()) {
      text += until("\"\r\n");
      if (take('"')) {
        if (!take('"')) return text;
        text += '"';
      } else if (!at_end()) {
        text += '\n';
      }
    }
    if (open_quote_ == 0) open_quote_ = opened;
    return text;
  }

  void skip_blanks(char separator) {
    while (take(' ') || (separator != '\t' && take('\t'))) {
    }
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0, line_ = 1, open_quote_ = 0;
};

std::string take_field(Cursor& cursor, char separator) {
  const char ends[] = {separator, '\r', '\n'};
  const std::string_view field_ends(ends, sizeof ends);
  cursor.skip_blanks(separator);
  if (!cursor.take('"')) return std::string(without_blanks(cursor.until(field_ends)));
  std::string field = cursor.quoted();
  field += without_blanks(cursor.until(field_ends));
  return field;
}

ListTable split_separated(std::string_view text, char separator) {
  ListTable table;
  Cursor cursor(text);
  while (!cursor.at_end()) {
    ListRecord record;
    record.line = cursor.line();
    do {
      record.like_text = record.like_text || (record.fields.size() > 1 && cursor.at_blank());
      record.fields.push_back(take_field(cursor, separator));
    } while (cursor.take(separator));
    cursor.take_line_end();
    if (std::ranges::any_of(record.fields, [](const std::string& field) { return !field.empty(); }))
      table.records.push_back(std::move(record));
  }
  table.open_quote = cursor.open_quote();
  return table;
}

std::vector<std::string> split_line(std::string_view line, Separator separator) {
  constexpr std::string_view blanks = " \t";
  const auto blank = separator == Separator::none         ? std::string_view::npos
                     : separator == Separator::last_blank ? line.find_last_of(blanks)
                                                          : line.find_first_of(blanks);
  if (blank == std::string_view::npos) return {std::string(line)};
  return {std::string(without_blanks(line.substr(0, blank))),
          std::string(without_blanks(line.substr(blank)))};
}

}  // namespace

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

ListTable split_records(std::string_view text, Separator separator) {
  if (separator == Separator::tab) return split_separated(text, '\t');
  if (separator == Separator::comma) return split_separated(text, ',');
  if (separator == Separator::semicolon) return split_separated(text, ';');
  ListTable table;
  for (Cursor cursor(text); !cursor.at_end(); cursor.take_line_end()) {
    const std::size_t line = cursor.line();
    const std::string_view content = without_blanks(cursor.until(line_ends));
    if (!content.empty()) table.records.push_back({line, split_line(content, separator)});
  }
  return table;
}

}  // namespace convoy
