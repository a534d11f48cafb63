// Options that are fields of the API's objects: each has one line in a table, by which it is read,
// written into the request's JSON, and found again when the API says that the field is wrong. So an
// option that is given has effect, or is refused.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command/options.h"
#include "cli/objects/client.h"
#include "core/base/json_writer.h"

namespace postern::admin {

enum class Kind {
  text,
  nullable,      // the same; empty: null
  number,        // an integer
  limit,         // the same; 0: null, no limit
  boolean,       // true or false
  yes,           // a flag without a value: true
  seconds,       // a duration, in whole seconds on the wire
  go_duration,   // a duration, as Go writes it
  time,          // RFC 3339, or a duration from now on
  json,          // any JSON, as it is
  text_or_json,  // an object when it begins with a brace
  texts,         // may be given several times
  headers,       // the same, each "Name: value"
};

struct FieldOption {
  const char* flag;
  std::string_view field;  // "retention.failed" is a member of a member
  Kind kind;
  const char* help;
};

class FieldOptions {
 public:
  // The table must outlive it.
  explicit FieldOptions(std::span<const FieldOption> table)
      : table_(table), values_(table.size()) {}

  // `this` must outlive the parsing.
  void add_to(Command& command);
  bool given(std::string_view field) const;
  bool any() const;
  // Throws UsageError when none of the fields is given that say what is called: for a command line
  // with --url, since whoever takes that for the webhook's would send the receiver the key.
  void want_target() const;
  // Adds the members that are given to an object that is open. Ends the parsing for a value that
  // cannot be what it must be.
  void write(JsonWriter& out) const;
  std::string flag_of(std::string_view field) const;
  FlagOf flags() const {
    return [this](std::string_view field) { return flag_of(field); };
  }

 private:
  struct Value {
    std::optional<std::string> text;
    std::vector<std::string> texts;
    bool yes = false;
    bool given() const { return text || !texts.empty() || yes; }
  };
  const std::span<const FieldOption> table_;
  std::vector<Value> values_;
};

// A rate limit, which the API takes as a whole: {"count","period_seconds","burst"}.
class RateOptions {
 public:
  void add_to(Command& command);
  bool given() const { return rate_ || period_ || burst_; }
  // Writes the member. What is not said is that of `there`, the limit there is ("null" or empty:
  // none). Ends the parsing when a period or a burst is said of no rate.
  void write(JsonWriter& out, std::string_view there) const;

 private:
  std::optional<std::string> rate_, period_, burst_;
};

// Values of options. Each ends the parsing for what is none.
std::int64_t number_of(const std::string& flag, const std::string& text);
std::int64_t seconds_of(const std::string& flag, const std::string& text);
// RFC 3339, for a duration the time so long before now (or after it); a text that is neither is
// left to the API.
enum class Side { before, after };
std::string time_of(const std::string& text, Side side);
// The content of a file; "-" is the standard input.
std::string content_of(const std::string& flag, const std::string& file);

}  // namespace postern::admin
