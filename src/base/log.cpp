#include "base/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace convoy {

Log::Log(int rank, int size, bool quiet) : writes_info_(rank == 0 && !quiet) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  const std::string who = size > 1 ? fmt::format("convoy[{}]", rank) : "convoy";
  logger_ = std::make_shared<spdlog::logger>(who, std::move(sink));
  logger_->set_pattern("%H:%M:%S %n %^%l%$: %v");
  logger_->flush_on(spdlog::level::info);
}

Log::~Log() = default;
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;

void Log::write_info(std::string_view text) const {
  logger_->info(text);
}
void Log::write_warning(std::string_view text) const {
  logger_->warn(text);
}
void Log::write_error(std::string_view text) const {
  logger_->error(text);
}

}  // namespace convoy
