// The parameters of a query string, typed. Unknown parameters are ignored, as HTTP clients and
// proxies add their own; one that is known must make sense.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/time/time.h"

namespace postern {

// The integer that is the whole of `text`; what does not fit is cut to the nearest that does, for
// the caller's range check to refuse. nullopt: it is not an integer.
std::optional<std::int64_t> parse_integer(std::string_view text);

// Reads one parameter after the other. The first thing that is wrong is kept and everything after
// it reads as absent, so that a handler asks once, at the end.
class Query {
 public:
  // Decodes percent escapes and "+". Reason "query_invalid" for bad escapes, bad UTF-8 and NUL.
  static Result<Query> parse(std::string_view text);

  // Whether it is given at all.
  bool has(std::string_view name) const;
  // Each that is given, in their order.
  std::vector<std::string> texts(std::string_view name) const;
  // nullopt: not given. A parameter given twice is refused, reason "parameter_repeated".
  std::optional<std::string> text(std::string_view name);
  // `reason` when it is not an integer.
  std::optional<std::int64_t> integer(std::string_view name, std::string_view reason);
  // How many: from 1 to `most`, else `reason`. `otherwise` when it is not given, or wrong.
  int count(std::string_view name, std::string_view reason, int most, int otherwise);
  // Whether it is "true"; else it must be "false", or `reason`.
  bool flag(std::string_view name, std::string_view reason);
  // RFC 3339, or a day (its beginning in UTC); else reason "time_invalid".
  std::optional<Time> time(std::string_view name);

  // From now on a parameter without a value reads as absent.
  void drop_empty(std::string_view name);

  // Notes what a check found, unless something was wrong before.
  void require(const Result<void>& check);
  void refuse(Error error);
  // The first thing that was wrong.
  Result<void> finish() const;

 private:
  std::vector<std::pair<std::string, std::string>> params_;
  std::optional<Error> error_;
};

}  // namespace postern
