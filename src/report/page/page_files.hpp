// The files of this folder that became part of the program (page_files.S). For report_page.cpp.
#pragma once

#include <string_view>

namespace convoy {

std::string_view page_frame();   // report.html
std::string_view page_style();   // report.css
std::string_view page_script();  // all .js files, one behind another

}  // namespace convoy
