// `postern cell list`: the cells of the folder, and how each is.
#include <memory>

#include <fmt/format.h>

#include "cli/cells/cells.h"
#include "cli/command/ending.h"
#include "cli/output/records.h"
#include "db/catalog/placement.h"
#include "db/move/cell.h"

namespace postern::admin {
namespace {

std::vector<std::string> row_of(const Context& context, const Cell& cell) {
  std::vector<std::string> row{cell.label, cell.settings.public_url};
  try {
    if (!cell.complaint.empty()) throw std::runtime_error(cell.complaint);
    auto connection =
        db::PgConnection::connect(context.with(cell.settings).connection_options(false));
    const auto report = db::report_cell(connection);
    const auto tenants = db::count_tenants(connection);
    for (const auto& text : {report.version, std::to_string(tenants.here),
                             std::to_string(tenants.moved), std::to_string(report.schedulers),
                             std::to_string(report.moves.size()), std::string("yes")}) {
      row.push_back(text);
    }
  } catch (const std::exception& error) {
    row.insert(row.end(), {"", "", "", "", "", fmt::format("no: {}", error.what())});
  }
  return row;
}

}  // namespace

void add_cell_list(Command& cell, Context& context) {
  auto folder = std::make_shared<std::string>(kCellsFolder);
  Command list = cell.add("list", "Show the cells that the folder of cells names");
  add_cells_option(list, *folder);
  list.run([&context, folder] {
    std::vector<std::vector<std::string>> rows;
    const auto cells = read_cells(context, *folder);
    for (const auto& each : cells.all) rows.push_back(row_of(context, each));
    if (!cells.complaint.empty()) {
      complain(cells.complaint);
    } else if (rows.empty()) {
      complain(fmt::format(
          "the folder {} has no file of a cell, and this host's settings name none", *folder));
    }
    print_table({"label", "public url", "version", "tenants here", "tenants moved", "schedulers",
                 "moves", "reachable"},
                rows, context.json);
  });
}

}  // namespace postern::admin
