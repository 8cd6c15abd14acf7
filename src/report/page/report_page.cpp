#include "report/page/report_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/text_list.hpp"
#include "report/page/page_data.hpp"
#include "report/page/page_files.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

// Charts of a long run are thinned to so many columns of pixels; a comparison shares them out.
constexpr std::size_t columns_of_one = 600, columns_of_all = 2400;

// In the frame, each once and in this order.
constexpr std::string_view title_mark = "{{title}}", style_mark = "{{style}}", data_mark = "{{data}}",
                           script_mark = "{{script}}";

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '<':
        html += "&lt;";
        break;
      case '&':
        html += "&amp;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

// `frame` with each mark replaced, in one pass: what is inserted is not searched.
std::string filled(std::string_view frame,
                   const std::vector<std::pair<std::string_view, std::string_view>>& parts) {
  std::string html;
  for (const auto& [mark, part] : parts) {
    const std::size_t place = frame.find(mark);
    ensure(place != std::string_view::npos, "the frame of a report has a place for each part");
    html += frame.substr(0, place);
    html += part;
    frame.remove_prefix(place + mark.size());
  }
  return html.append(frame);
}

// The path without a last '/', and as the user would name it from the outside ("." becomes its name).
fs::path plain(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

// The last `parts` parts of a path.
std::string tail_of(const fs::path& path, int parts) {
  fs::path tail;
  fs::path rest = path;
  for (int i = 0; i < parts && rest.has_filename(); ++i, rest = rest.parent_path())
    tail = tail.empty() ? rest.filename() : rest.filename() / tail;
  return tail.string();
}

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::string script_safe(const std::string& json) {
  std::string safe;
  safe.reserve(json.size());
  // In JSON these stand only in texts, where an escape means the same.
  for (const char c : json) {
    if (c == '<')
      safe += "\\u003c";
    else if (c == '>')
      safe += "\\u003e";
    else
      safe += c;
  }
  return safe;
}

std::vector<std::string> run_names(const std::vector<fs::path>& runs) {
  constexpr int most_parts = 8;
  std::vector<std::string> names;
  for (int parts = 1; parts <= most_parts; ++parts) {
    names.clear();
    for (const fs::path& run : runs) names.push_back(tail_of(plain(run), parts));
    if (std::set(names.begin(), names.end()).size() == names.size()) break;
  }
  return names;
}

ReportPage make_report(const ReportRequest& request) {
  const std::vector<std::string> names = run_names(request.runs);
  ReportPage page{.html = {}, .remarks = {}, .ended = true};
  std::vector<std::string> runs;
  for (std::size_t i = 0; i < names.size(); ++i) {
    RunData data = read_run_data({.folder = request.runs[i],
                                  .name = names[i],
                                  .store = request.store,
                                  .pictures = names.size() == 1,
                                  .columns = std::min(columns_of_one, columns_of_all / names.size())});
    page.ended = page.ended && data.ended;
    for (const std::string& remark : data.remarks)
      page.remarks.push_back(names.size() == 1 ? remark : fmt::format("{}: {}", names[i], remark));
    runs.push_back(std::move(data.json));
  }
  const std::string data =
      script_safe(fmt::format(R"({{"format":"convoy-report","written":{},"reload":{},"runs":[{}]}})", now(),
                              request.reload_seconds, text_list(runs, ",")));
  const std::string script = fmt::format("(() => {{\n'use strict';\n{}}})();\n", page_script());
  page.html = filled(page_frame(), {{title_mark, escaped(text_list(names))},
                                    {style_mark, page_style()},
                                    {data_mark, data},
                                    {script_mark, script}});
  return page;
}

}  // namespace convoy
