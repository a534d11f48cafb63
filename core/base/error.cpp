#include "core/base/error.h"

#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace postern {

std::string_view name(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
    case Errc::method_not_allowed: return "invalid_argument";
    case Errc::unauthenticated: return "unauthenticated";
    case Errc::forbidden: return "forbidden";
    case Errc::not_found: return "not_found";
    case Errc::conflict: return "conflict";
    case Errc::duplicate: return "duplicate";
    case Errc::payload_too_large: return "payload_too_large";
    case Errc::rate_limited: return "rate_limited";
    case Errc::unavailable: return "unavailable";
    case Errc::internal: return "internal";
  }
  throw std::logic_error("name: not an Errc");
}

void throw_exception_from_error(const Error& error, const boost::source_location& at) {
  throw std::logic_error(fmt::format("value() of a failed result at {}:{}: {} {} {}: {}",
                                     at.file_name(), at.line(), name(error.code), error.reason,
                                     error.field, error.message));
}

Error invalid(std::string reason, std::string field, std::string message) {
  return {Errc::invalid_argument, std::move(reason), std::move(field), std::move(message)};
}

Error not_found(std::string reason, std::string message) {
  return {Errc::not_found, std::move(reason), {}, std::move(message)};
}

Error conflict(std::string reason, std::string message) {
  return {Errc::conflict, std::move(reason), {}, std::move(message)};
}

Error unavailable(std::string reason, std::string message) {
  return {Errc::unavailable, std::move(reason), {}, std::move(message)};
}

}  // namespace postern
