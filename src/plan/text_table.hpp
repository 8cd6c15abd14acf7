// Tables that are read on a terminal and are Markdown at the same time. Used by plan_text.cpp.
#pragma once

#include <string>
#include <vector>

namespace convoy {

class TextTable {
 public:
  // The first column is text, aligned left; the others are numbers, aligned right.
  explicit TextTable(std::vector<std::string> head) : rows_{std::move(head)} {}
  // As many cells as the head.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.size() == 1; }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace convoy
