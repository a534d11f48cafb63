#include "cli/cells/cells.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "core/model/cell.h"
#include "core/program/settings.h"

namespace postern::admin {
namespace {

Cell read_cell(const std::filesystem::path& path) {
  Cell cell;
  cell.label = path.stem().string();
  cell.file = path.string();
  try {
    if (const auto ok = check_cell_label(cell.label, "name"); !ok) {
      cell.complaint = fmt::format("The file {} is not named by a cell's label: {}", cell.file,
                                   ok.error().message);
      return cell;
    }
    // As the handlers read it, for what they must have in common.
    cell.settings = read_settings_file(Program::fcgi, cell.file, &cell.known);
  } catch (const std::exception& error) {
    cell.complaint = error.what();
  }
  return cell;
}

// What this command does not take for itself is as the handlers read it from the same file. Their
// flags and environment are not known here.
Cell own_cell(const Context& context) {
  Cell cell{context.settings.cell, "this host's settings", context.settings, "", true};
  std::error_code none;
  if (!std::filesystem::is_regular_file(context.settings_file, none)) return cell;
  try {
    const auto read = read_settings_file(Program::fcgi, context.settings_file);
    cell.settings.jwt_audience = read.jwt_audience;
    cell.settings.jwt_require_exp = read.jwt_require_exp;
    cell.settings.operator_sources = read.operator_sources;
    cell.settings.jwt_secret_file = read.jwt_secret_file;
    cell.settings.jwt_keys_file = read.jwt_keys_file;
    for (const auto& setting : all_settings()) cell.known.insert(setting.name);
  } catch (const std::exception& error) {
    cell.complaint = error.what();
  }
  return cell;
}

}  // namespace

Cells read_cells(const Context& context, const std::string& folder) {
  Cells cells;
  const auto& own = context.settings.cell;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::end(entry); entry.increment(error)) {
    const auto& path = entry->path();
    if (path.extension() != ".conf" || (!own.empty() && path.stem() == own)) continue;
    cells.all.push_back(read_cell(path));
  }
  if (error) {
    cells.complaint = fmt::format(
        "the folder of cells {} cannot be read ({}): it must have a file LABEL.conf for each other "
        "cell, with its cell, public_url and database (docs/cells.md, Moving a tenant)",
        folder, error.message());
  }
  if (!own.empty()) cells.all.push_back(own_cell(context));
  std::ranges::sort(cells.all, {}, &Cell::label);
  return cells;
}

Cell require_cell(const Context& context, const std::string& folder, const std::string& label) {
  std::string known;
  const auto cells = read_cells(context, folder);
  for (const auto& cell : cells.all) {
    known += (known.empty() ? "" : ", ") + cell.label;
    if (cell.label != label) continue;
    if (!cell.complaint.empty()) fail(cell.complaint, context.json);
    return cell;
  }
  if (!cells.complaint.empty()) fail(cells.complaint, context.json);
  fail(fmt::format("there is no cell {}: {}/{}.conf must say where its database is; {}", label,
                   folder, label, known.empty() ? "the folder has no cell" : "known are " + known),
       context.json);
}

void add_cells_option(Command& command, std::string& folder) {
  command
      .option("--cells", folder,
              "the folder with a file of settings, LABEL.conf, for each other cell")
      .show_default();
}

void add_cell(Command& app, Context& context) {
  Command cell = app.add("cell", "Cells: each is a whole Postern with a database of its own");
  cell.require_subcommand();
  add_cell_list(cell, context);
  add_cell_check(cell, context);
  add_cell_accept(cell, context);
}

}  // namespace postern::admin
