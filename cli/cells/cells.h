// `postern cell`: what the programs of this host make of their database.
#pragma once

#include "cli/command/context.h"
#include "cli/command/options.h"

namespace postern::admin {

// The verbs, each of which is told by its name.
void add_cell_accept(Command& cell, Context& context);

}  // namespace postern::admin
