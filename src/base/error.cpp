#include "base/error.hpp"

#include <filesystem>
#include <new>
#include <system_error>

namespace convoy {

Error as_error(const std::exception_ptr& thrown, std::string_view memory_advice) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {ExitCode::device, fmt::format("out of memory: {}", memory_advice)};
  } catch (const std::filesystem::filesystem_error& error) {
    return {ExitCode::io, error.what()};
  } catch (const std::system_error& error) {
    // std::thread throws this if a user, a container or a job may have no more threads.
    if (error.code() != std::errc::resource_unavailable_try_again)
      return {ExitCode::bug, fmt::format("unexpected error: {}", error.what())};
    return {ExitCode::device,
            fmt::format("no further thread can be started ({}): raise the limit on processes (`ulimit -u`, a "
                        "container's --pids-limit), or use fewer ranks, --threads or --workers",
                        error.what())};
  } catch (const std::exception& error) {
    return {ExitCode::bug, fmt::format("unexpected error: {}", error.what())};
  } catch (...) {
    return {ExitCode::bug, "unexpected error of unknown type"};
  }
}

std::string system_error_text(int number) {
  return std::generic_category().message(number);
}

}  // namespace convoy
