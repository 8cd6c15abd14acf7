#include "records.hpp"

#include <fstream>

#include "base/error.hpp"

namespace convoy::gpu_benchmark {

void Records::entry(const std::string& id, double value, std::string_view unit, std::string_view better,
                    Json more) const {
  Json record = {{"kind", "entry"}, {"id", id}, {"value", value}, {"unit", unit}, {"better", better}};
  record.update(more);
  add(record);
}

void Records::add(const Json& record) const {
  if (path_.empty()) return;
  std::ofstream file(path_, std::ios::app);
  // Text that is no UTF-8, such as a path in an error message, does not lose the record.
  file << record.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  file.flush();
  if (!file) fail(ExitCode::io, "{}: cannot append a result", path_.string());
}

}  // namespace convoy::gpu_benchmark
