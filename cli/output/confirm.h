// The question before a change to many.
#pragma once

#include <string>
#include <string_view>

#include "cli/command/context.h"

namespace postern::admin {

// At a terminal, unless --yes was given.
bool asks_first(const Context& context);
// Ends the command when the answer is not yes.
void confirm(const std::string& what);

// "12 tasks" of {"count":12}; "10000 tasks or more" of an estimate.
std::string counted_tasks(std::string_view answer);

}  // namespace postern::admin
