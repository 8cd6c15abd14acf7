// The report of one or several runs: a single HTML file that shows everything by itself, without a network.
// Used by `convoy report`. Its parts are the files of this folder: report.html is the frame, report.css the
// style, and the scripts draw what read_run_data gives.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace convoy {

struct ReportRequest {
  std::vector<std::filesystem::path> runs;  // their folders, at least one
  std::filesystem::path store;              // for the pictures; empty: the one that the run names
  int reload_seconds = 0;                   // the page loads itself anew so often; 0: never
};

struct ReportPage {
  std::string html;
  std::vector<std::string> remarks;  // what had to be left out, and why
  bool ended = false;                // no run will write any more
};

// Throws like read_run_data.
ReportPage make_report(const ReportRequest& request);

// `json` inside a <script> element: no text in it can end the element or begin a comment.
std::string script_safe(const std::string& json);

// Names for runs, as short as they can be told apart: the last parts of their paths.
std::vector<std::string> run_names(const std::vector<std::filesystem::path>& runs);

}  // namespace convoy
