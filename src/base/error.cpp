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
