#include "sources/named_table.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.hpp"
#include "base/lower_case.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// How well a column names images: a name with its extension counts more, so that a running number is not
// taken for the image "1.jpg".
struct Column {
  std::int64_t score = 0;
  std::size_t fields = 0;  // of the longest record that names an image here
  bool folders_count = false;
};

struct RatedTable {
  NamedTable list;
  std::vector<Column> columns;
  std::int64_t score = 0;  // of the best column
};

RatedTable rate(std::string_view text, Separator separator, const ImageNames& images) {
  constexpr std::size_t searched_columns = 8;
  RatedTable rated;
  rated.list.table = split_records(text, separator);
  rated.columns.resize(searched_columns);
  for (const ListRecord& record : rated.list.table.records) {
    if (record.fields.size() < 2) continue;
    for (std::size_t c = 0; c < std::min(record.fields.size(), searched_columns); ++c) {
      const NameMatch match = images.find(record.fields[c]);
      if (match.item < 0) continue;
      Column& column = rated.columns[c];
      column.score += match.with_extension ? 2 : 1;
      column.fields = std::max(column.fields, record.fields.size());
      column.folders_count = column.folders_count || match.folders == NameMatch::Folders::equal;
    }
  }
  rated.score = std::ranges::max(rated.columns, {}, &Column::score).score;
  return rated;
}

RatedTable best_table(std::string_view text, const ImageNames& images) {
  constexpr std::array separators{Separator::tab, Separator::comma, Separator::semicolon,
                                  Separator::last_blank, Separator::first_blank};
  RatedTable best;
  for (const Separator separator : separators) {
    RatedTable rated = rate(text, separator, images);
    if (rated.score > best.score) best = std::move(rated);
  }
  return best;
}

using Numbers = std::vector<std::size_t>;  // of columns

// Keeps those for which `wanted` holds, unless it holds for none.
template <typename Wanted>
void prefer(Numbers& columns, Wanted&& wanted) {
  if (std::ranges::any_of(columns, wanted))
    std::erase_if(columns, [&](std::size_t column) { return !wanted(column); });
}

// Whether two columns name the same images, for example by a file name and by its path.
bool name_the_same(const ListTable& table, std::size_t a, std::size_t b, const ImageNames& images) {
  return std::ranges::all_of(table.records, [&](const ListRecord& record) {
    return std::max(a, b) < record.fields.size() &&
           images.find(record.fields[a]).item == images.find(record.fields[b]).item;
  });
}

// The columns with names: several only if they name the same images. Class numbers may also be names of
// images; a header tells the two apart.
Numbers columns_of_names(const RatedTable& rated, const ImageNames& images, const fs::path& path) {
  const std::vector<std::string>& first = rated.list.table.records.front().fields;
  const auto has_title = [&](std::size_t column, bool (*is_title)(const std::string&)) {
    return column < first.size() && images.find(first[column]).item < 0 && is_title(first[column]);
  };
  Numbers columns;
  for (std::size_t c = 0; c < rated.columns.size(); ++c)
    if (rated.columns[c].score > 0) columns.push_back(c);
  prefer(columns, [&](std::size_t c) { return !has_title(c, is_title_of_classes); });
  std::int64_t best = 0;
  for (const std::size_t c : columns) best = std::max(best, rated.columns[c].score);
  prefer(columns, [&](std::size_t c) { return rated.columns[c].score == best; });
  prefer(columns, [&](std::size_t c) { return has_title(c, is_title_of_images); });
  for (const std::size_t c : columns) {
    if (name_the_same(rated.list.table, columns.front(), c, images) || c == columns.front()) continue;
    fail(
        ExitCode::bad_data,
        "{}: columns {} and {} both name images: write the images' names with their extensions, or begin the "
        "list with a header such as \"image,label\"",
        path.string(), columns.front() + 1, c + 1);
  }
  return columns;
}

// A header tells in which of several columns ("file,split,label") the classes are.
void use_titles(NamedTable& list, const ImageNames& images) {
  const std::vector<std::string>& titles = list.table.records.front().fields;
  if (list.names >= titles.size() || images.find(titles[list.names]).item >= 0) return;
  const auto title = std::ranges::find_if(titles, is_title_of_classes);
  if (title == titles.end() || std::find_if(title + 1, titles.end(), is_title_of_classes) != titles.end())
    return;
  const auto column = static_cast<std::size_t>(title - titles.begin());
  if (column != list.names) list.classes = column;
}

}  // namespace

std::optional<NamedTable> find_named_table(std::string_view text, const ImageNames& images,
                                           const fs::path& path) {
  RatedTable rated = best_table(text, images);
  if (rated.score == 0) return {};
  const Numbers names = columns_of_names(rated, images, path);
  const Column& last = rated.columns[names.back()];
  NamedTable list = std::move(rated.list);
  list.names = names.front();
  list.folders_count = rated.columns[list.names].folders_count;
  const bool at_end = names.back() + 1 >= last.fields;
  list.classes = at_end && list.names > 0 ? list.names - 1 : names.back() + 1;
  use_titles(list, images);
  return list;
}

bool is_title_of_classes(const std::string& text) {
  constexpr std::array<std::string_view, 8> titles{"label",  "class", "category", "target",
                                                   "synset", "wnid",  "breed",    "species"};
  return std::ranges::find(titles, lower_case(text)) != titles.end();
}

bool is_title_of_images(const std::string& text) {
  constexpr std::array<std::string_view, 12> titles{"id",   "image",     "imageid",  "imagename",
                                                    "img",  "file",      "filename", "filepath",
                                                    "name", "imagepath", "path",     "imagefile"};
  std::string title = lower_case(text);
  std::erase_if(title, [](char letter) { return letter == '_' || letter == '-' || letter == ' '; });
  return std::ranges::find(titles, title) != titles.end();
}

}  // namespace convoy
