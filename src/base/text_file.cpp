#include "base/text_file.hpp"

#include "base/error.hpp"
#include "base/file_descriptor.hpp"

namespace convoy {

std::string read_text(const std::filesystem::path& path) {
  constexpr std::string_view utf8_mark = "\xEF\xBB\xBF";
  std::string text = read_file_or_pipe(path);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    fail(ExitCode::bad_data, "{} is encoded as UTF-16: save it as UTF-8", path.string());
  if (text.starts_with(utf8_mark)) text.erase(0, utf8_mark.size());
  if (const auto zero = text.find('\0'); zero != std::string::npos)
    fail(ExitCode::bad_data, "{} is not a text file: byte {} is zero", path.string(), zero);
  return text;
}

}  // namespace convoy
