// What `postern` prints of what it finds in the database: a table for people, or JSON for programs.
// Objects of the API are printed by show.h.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/time/time.h"

namespace postern::admin {

// Rows under headings, columns as wide as they need to be. With `json`: an array of objects whose
// keys are the headings in lower case with underscores, empty cells as null.
void print_table(const std::vector<std::string>& headings,
                 const std::vector<std::vector<std::string>>& rows, bool json);

// A field of a record. `bare`: its text is JSON, a number or a boolean.
struct RecordField {
  std::string heading, text;
  bool bare = false;
};
// One record: as "heading: value" lines, or one JSON object.
void print_record(const std::vector<RecordField>& fields, bool json);

// {"error":{"code","message"}} on stdout.
void print_error(const std::string& code, const std::string& sentence);

std::string show(const std::optional<Time>& time);

// The value; an error ends the command with its sentence.
template <class T>
T require(Result<T> result, bool json);

// The exit codes, besides 0: what was asked for was not done, and the command line is wrong.
inline constexpr int kNotDone = 1;
inline constexpr int kUsage = 2;

// Ends the command, once its objects have ended. What is to be said has been said.
struct Exit {
  int code;
};

// Ends the command: its text is the sentence, the exit code kUsage.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Ends the command with one sentence on stderr, with `json` on stdout too, in the form of the API's
// errors. Exit code kNotDone.
[[noreturn]] void fail(const std::string& sentence, bool json);

template <class T>
T require(Result<T> result, bool json) {
  if (!result) fail(result.error().message, json);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace postern::admin
