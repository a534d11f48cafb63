// The fields of a JSON object, typed. Whatever is not asked for by the end was not known: an error,
// because a misspelt "delay" must not become a task that runs at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/headers.h"
#include "core/base/json.h"
#include "core/model/rate_limit.h"
#include "core/time/time.h"

namespace postern {

// Reads one field after the other. null means absent. The first thing that is wrong is kept and
// everything after it reads as absent, so that a dialect asks once, at the end. Wrong types have
// the reason "invalid_type".
class FieldReader {
 public:
  // One more than any field takes, so that whoever checks how many there are finds too many.
  static constexpr std::size_t kMostElements = 1'001;

  explicit FieldReader(std::vector<JsonMember> members, std::string within = {})
      : members_(std::move(members)), taken_(members_.size()), within_(std::move(within)) {}
  // `body` must outlive the reader. Errors as of parse_json_object. `within`: the field that the
  // object is itself, which stands before the names in errors.
  static Result<FieldReader> parse(std::string_view body, std::string_view within = {});
  // As Go's decoder reads it (parse_go_object): of a field that is given twice the last counts.
  static Result<FieldReader> parse_as_go(std::string_view body);
  // The fields of an object that is part of a body. REQUIRES: `object` is valid JSON. Errors as of
  // json_members.
  static Result<FieldReader> part(std::string_view object, std::string_view field);

  std::optional<std::string> text(std::string_view name);
  // A number written as an integer: no fraction, no exponent. What does not fit 64 bits is cut to
  // the nearest that does, for the field's range check to refuse.
  std::optional<std::int64_t> integer(std::string_view name);
  // Any number; what a double cannot hold is infinite.
  std::optional<double> number(std::string_view name);
  std::optional<bool> boolean(std::string_view name);
  // As Go writes it, else reason "invalid_duration": also for a number, whose unit nobody knows,
  // unless it is read as Go's decoder does, to which that is a wrong type.
  std::optional<std::chrono::nanoseconds> duration(std::string_view name);
  // {"count", "period_seconds", "burst"}, of which the last may be missing; else reason
  // "rate_limit_incomplete". Ranges are check_rate_limit's.
  std::optional<RateLimit> rate_limit(std::string_view name);
  // RFC 3339, else reason "time_invalid".
  std::optional<Time> time(std::string_view name);
  // The object's own bytes; `reason` for any other kind of value.
  std::optional<std::string_view> object(std::string_view name, std::string_view reason);
  // Any value's own bytes.
  std::optional<std::string_view> json(std::string_view name) { return take(name); }
  // An array's elements, of which no more than kMostElements are read.
  std::vector<std::string> texts(std::string_view name);
  // The same, each its own bytes.
  std::optional<std::vector<std::string_view>> elements(std::string_view name);
  // An object of strings.
  Headers headers(std::string_view name);
  // A string decoded, or an object's own bytes.
  std::optional<std::string> text_or_object(std::string_view name);
  // Whether it is there and not null; takes it.
  bool present(std::string_view name);
  // Whether it is there, be it as null: for those whom null tells more than absence. Takes nothing.
  bool has(std::string_view name) const;

  // Notes what a check found, unless something was wrong before.
  void require(const Result<void>& check);
  void refuse(Error error);
  // The first thing that was wrong; else the first field that nobody asked for: "unknown_field".
  Result<void> finish() const;
  // The first thing that was wrong. What nobody asked for is ignored, as some wires have it.
  Result<void> finish_leniently() const;

 private:
  // The value; nullopt when absent, null, or after an error.
  std::optional<std::string_view> take(std::string_view name);
  void wrong_type(std::string_view name, std::string_view expected);
  std::string decode(std::string_view raw, std::string_view name);
  std::string full(std::string_view name) const;

  std::vector<JsonMember> members_;
  std::vector<bool> taken_;
  bool as_go_ = false;
  std::string within_;
  std::optional<Error> error_;
};

}  // namespace postern
