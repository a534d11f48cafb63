// The cells that this host knows: a folder with a file of settings for each.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cli/command/context.h"
#include "cli/command/options.h"
#include "core/program/config.h"

namespace postern::admin {

inline constexpr char kCellsFolder[] = "/etc/postern/cells";

struct Cell {
  std::string label;  // the file's name, without ".conf"
  std::string file;
  Settings settings;
  std::string complaint;  // why the file is of no use; empty: it is
  bool own = false;       // this host's
  // The names of those settings that are known to be what its handlers have: of this host's cell
  // all, of another one those that the file holds, which is a copy.
  std::set<std::string, std::less<>> known = {};
};

struct Cells {
  std::vector<Cell> all;  // by label
  std::string complaint;  // why the folder cannot be read; empty: it can
};

// With this host's own, by its settings, whatever file of its label the folder has.
Cells read_cells(const Context& context, const std::string& folder);
// Ends the command when the folder has none of this label, or its file is of no use.
Cell require_cell(const Context& context, const std::string& folder, const std::string& label);

// The verbs, each of which is told by its name.
void add_cell_list(Command& cell, Context& context);
void add_cell_check(Command& cell, Context& context);
void add_cell_accept(Command& cell, Context& context);
void add_tenant_move(Command& tenant, Context& context);

// "--cells", with its default.
void add_cells_option(Command& command, std::string& folder);

}  // namespace postern::admin
