#include "cli/cells/cells.h"

#include "cli/command/commands.h"

namespace postern::admin {

void add_cell(Command& app, Context& context) {
  Command cell = app.add("cell", "A cell: a whole Postern with a database of its own");
  cell.require_subcommand();
  add_cell_accept(cell, context);
}

}  // namespace postern::admin
