// Errors that a caller of the API can cause or act on, as values. Faults (a broken connection, a
// malformed row) are exceptions instead; see docs/design.md, "Errors".
#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <string>
#include <string_view>

namespace postern {

// The closed set of error kinds. Renderers switch over it without `default`, so that adding a kind
// makes the compiler list every place that must learn it.
enum class Errc {
  invalid_argument,    // a field, parameter or header is wrong: 400
  unauthenticated,     // no credential, or an unknown one: 401
  forbidden,           // a known caller who may not do this: 403
  not_found,           // it does not exist, or belongs to another tenant: 404
  method_not_allowed,  // the path exists, the method does not: 405; on the wire `invalid_argument`
  conflict,            // its state does not allow it: 409 (422 for a reused idempotency key)
  duplicate,           // the name is taken: 409
  payload_too_large,   // 413
  rate_limited,        // 429
  unavailable,         // the database cannot be reached or is overloaded; try again: 503
  internal,            // a fault in Postern: 500
};

// The kind's name on the wire, e.g. "invalid_argument".
std::string_view name(Errc code);

struct Error {
  Errc code;
  std::string reason;   // machine-readable, snake_case, e.g. "priority_out_of_range"; may be empty
  std::string field;    // the field, parameter or header at fault; empty when there is none
  std::string message;  // for people: what happened, what was expected, what to do
};

template <class T>
using Result = boost::system::result<T, Error>;

// Boost finds it by ADL when `.value()` is called on a failed result, which is a programming error:
// throws a std::logic_error with the error's message and the place of the call.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& at);

// Shorthands for the kinds that are made in many places.
Error invalid(std::string reason, std::string field, std::string message);
Error not_found(std::string reason, std::string message);
Error conflict(std::string reason, std::string message);
Error unavailable(std::string reason, std::string message);

}  // namespace postern
