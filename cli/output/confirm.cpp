#include "cli/output/confirm.h"

#include <unistd.h>

#include <iostream>

#include <fmt/format.h>

#include "cli/command/ending.h"
#include "cli/output/json.h"

namespace postern::admin {

bool asks_first(const Context& context) {
  return !context.yes && isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0;
}

void confirm(const std::string& what) {
  fmt::print(stderr, "{} Go on? [y/N] ", what);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "yes" || answer == "Y") return;
  fmt::print(stderr, "postern: nothing was done\n");
  throw Exit{kNotDone};
}

std::string counted_tasks(std::string_view answer) {
  const JsonObject count(answer);
  const auto number = count.raw("count");
  return fmt::format("{} task{}{}", number, number == "1" ? "" : "s",
                     count.is_true("estimated") ? " or more" : "");
}

}  // namespace postern::admin
