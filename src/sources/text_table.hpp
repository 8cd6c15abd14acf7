// Lists that people write and programs export (labels, classes, class names): records of fields. Values
// separated by commas, semicolons or tabs may be quoted as in RFC 4180. Used by class_list and by the lists
// of labels.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace convoy {

enum class Separator {
  none,         // a line is one field
  tab,          // the first three: fields may be quoted, and quoted fields may contain line breaks
  comma,        //
  semicolon,    //
  last_blank,   // two fields: the first may contain blanks ("a photo.jpg 7")
  first_blank,  // two fields: the second may contain blanks ("n01440764 tench, Tinca tinca")
};

struct ListRecord {
  std::size_t line = 0;             // of the file, from 1
  std::vector<std::string> fields;  // without blanks around them; at least one
  bool like_text = false;  // a field after the second follows a blank, as in "n01,tench, Tinca tinca"
};

struct ListTable {
  std::vector<ListRecord> records;  // without those whose fields are all empty
  std::size_t open_quote = 0;       // the line of a quote that is never closed; 0: none
};

// Lines may end as on any system.
ListTable split_records(std::string_view text, Separator separator);

// Without blanks (space, tab, carriage return) around it.
std::string_view without_blanks(std::string_view text);

}  // namespace convoy
