// How a command ends before its time: exit codes, exceptions and errors.
#pragma once

#include <stdexcept>
#include <string>

#include "core/base/error.h"

namespace postern::admin {

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

// {"error":{"code","message"}} on stdout.
void print_error(const std::string& code, const std::string& sentence);
// One sentence on stderr. What others wrote, in it as in tables, controls no terminal.
void complain(const std::string& sentence);

// Ends the command with one sentence on stderr, with `json` on stdout too, in the form of the API's
// errors. Exit code kNotDone.
[[noreturn]] void fail(const std::string& sentence, bool json,
                       const std::string& code = "not_done");

// The value; an error ends the command with its sentence.
template <class T>
T require(Result<T> result, bool json) {
  if (!result) fail(result.error().message, json);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace postern::admin
