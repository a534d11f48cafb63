#include "cli/command/ending.h"

#include <cstdio>

#include <fmt/format.h>

#include "cli/command/printable.h"
#include "core/base/json_writer.h"

namespace postern::admin {

void print_error(const std::string& code, const std::string& sentence) {
  JsonWriter out;
  out.begin_object().key("error").begin_object();
  out.member("code", code).member("message", sentence).end_object().end_object();
  fmt::print("{}\n", out.text());
}

void complain(const std::string& sentence) {
  fmt::print(stderr, "postern: {}\n", printable(sentence));
}

void fail(const std::string& sentence, bool json, const std::string& code) {
  if (json) print_error(code, sentence);
  complain(sentence);
  throw Exit{kNotDone};
}

}  // namespace postern::admin
