// `postern cell check`: whether the cells fit together.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <tuple>

#include <fmt/format.h>

#include "cli/cells/cells.h"
#include "cli/cells/compare.h"
#include "cli/command/ending.h"
#include "cli/output/grade.h"
#include "cli/output/records.h"
#include "db/catalog/placement.h"
#include "db/move/cell.h"
#include "db/schema/migrations.h"

namespace postern::admin {
namespace {

constexpr char kHelp[] =
    R"(Exit code 0: all is well; 1: something wants attention; 2: something is wrong; 3: there was
nothing to compare, and nothing is wrong. Looks at the files of the folder and at the databases that they name: labels and public URLs, schema
versions, clocks, schedulers and the labels that programs have, what tokens are judged by, in which cell
each tenant is, and moves that no command is at. What another cell's handlers have is known from its file
in the folder alone, which is a copy: what that does not say, and the units' credentials, are not compared,
which is told on standard error.)";

constexpr Seconds kClocks{2};

struct Finding {
  Grade grade;
  std::string cell, sentence;
};

struct OfTenants {
  Grade grade;
  std::string first;
  int more = 0;
};

struct Seen {
  const Cell* cell;
  db::PgConnection connection;
  db::CellReport report;
  Microseconds clock;  // ahead of this host's
};

// Where in a cell's tenants the check is; `at`: nullptr behind the last.
struct Reading {
  Seen* seen;
  db::AllPlacements all;
  const db::Placement* at;

  bool is_at(const std::string& tenant) const { return at != nullptr && at->tenant == tenant; }
};

class Check {
 public:
  Check(const Context& context, const std::string& folder)
      : context_(context), read_(read_cells(context, folder)), cells_(read_.all) {
    if (!read_.complaint.empty()) {
      add(Grade::unknown, "", read_.complaint);
      return;
    }
    if (std::ranges::all_of(cells_, &Cell::own)) {
      add(Grade::unknown, "",
          fmt::format("the folder {} has no file of another cell, so there is nothing to compare",
                      folder));
    }
    if (cells_.empty()) return;
    for (const auto& cell : cells_) look_at(cell);
    check_settings();
    check_databases();
    check_tenants();
  }

  const std::vector<Finding>& findings() const { return findings_; }
  // What could not be looked at, or is as it should be and looks wrong.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void add(Grade grade, const std::string& cell, const std::string& sentence) {
    findings_.push_back({grade, cell, sentence});
  }

  void look_at(const Cell& cell) {
    if (!cell.complaint.empty()) return add(Grade::critical, cell.label, cell.complaint);
    try {
      auto connection =
          db::PgConnection::connect(context_.with(cell.settings).connection_options(false));
      if (const auto misfit = db::schema_misfit(connection)) {
        return add(Grade::critical, cell.label, *misfit);
      }
      for (const auto& file : db::schema_status(connection)) {
        if (file.state == db::FileStatus::State::applied) continue;
        add(Grade::warning, cell.label,
            fmt::format("its schema is not this program's ({}), and no tenant can be moved: bring "
                        "all cells to one version",
                        file.name));
        break;
      }
      auto report = db::report_cell(connection);
      const auto ahead = std::chrono::duration_cast<Microseconds>(
          report.now -
          std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now()));
      seen_.push_back({&cell, std::move(connection), std::move(report), ahead});
    } catch (const std::exception& error) {
      add_unanswered(cell, error);
    }
  }

  void add_unanswered(const Cell& cell, const std::exception& error) {
    add(Grade::critical, cell.label, fmt::format("its database does not answer: {}", error.what()));
  }

  void check_settings() {
    std::map<std::string, std::string> urls;
    for (const auto& cell : cells_) {
      if (!cell.complaint.empty()) continue;
      const auto& settings = cell.settings;
      if (settings.cell != cell.label) {
        add(Grade::critical, cell.label,
            fmt::format("{} says cell = {}, which must be its name", cell.file,
                        settings.cell.empty() ? "nothing" : settings.cell));
      }
      if (settings.public_url.empty()) {
        add(Grade::critical, cell.label, fmt::format("{} has no public_url", cell.file));
      } else if (const auto [it, first] = urls.emplace(settings.public_url, cell.label); !first) {
        add(Grade::critical, cell.label,
            fmt::format("it has the public_url of {}: {}", it->second, settings.public_url));
      }
    }
    const auto own = std::ranges::find(cells_, true, &Cell::own);
    const auto& reference = own == cells_.end() ? cells_.front() : *own;
    for (const auto& cell : cells_) {
      if (&cell != &reference && cell.complaint.empty() && reference.complaint.empty()) {
        const auto compared = compare(cell, reference);
        for (const auto& finding : compared.differences) add(Grade::warning, cell.label, finding);
        if (!compared.unknown.empty()) notes_.push_back(compared.unknown);
      }
    }
  }

  void check_databases() {
    std::map<std::string, std::string> databases;
    for (const auto& [cell, connection, report, ahead] : seen_) {
      if (const auto [it, first] = databases.emplace(report.identity, cell->label); !first) {
        add(Grade::critical, cell->label, fmt::format("it has the database of {}", it->second));
        shared_ = true;
        continue;  // the rest would be that cell's
      }
      if (report.schedulers == 0) add(Grade::warning, cell->label, "no scheduler of it is up");
      if (abs(ahead - seen_.front().clock) > kClocks) {
        add(Grade::warning, cell->label,
            fmt::format("the clock of its database is {:.1f} s from that of {}",
                        std::chrono::duration<double>(ahead - seen_.front().clock).count(),
                        seen_.front().cell->label));
      }
      check_programs(cell->label, report.programs);
      for (const auto& move : report.moves) {
        if (move.left && !is_told_by_source(*cell, move)) add_left(cell->label, move);
      }
    }
  }

  void check_programs(const std::string& label, const std::vector<db::RunningProgram>& programs) {
    const auto other = std::ranges::find_if(
        programs, [&](const db::RunningProgram& each) { return each.cell != label; });
    if (other == programs.end()) return;
    const auto count = std::ranges::count_if(
        other, programs.end(), [&](const db::RunningProgram& each) { return each.cell != label; });
    add(Grade::critical, label,
        fmt::format("its database has a {} ({}) {}{}: it is not this cell's, or `cell = {}` is "
                    "missing in the program's settings, or it was not restarted since",
                    other->program, other->name,
                    other->cell.empty() ? "without a label" : "of the cell " + other->cell,
                    count > 1 ? fmt::format(" (and {} more)", count - 1) : "", label));
  }

  // A move has two ends. That of the cell which the tenant leaves says more.
  bool is_told_by_source(const Cell& cell, const db::MoveUnderWay& move) const {
    if (move.source) return false;
    const auto source = std::ranges::find_if(
        seen_, [&](const Seen& each) { return each.cell->label == move.other; });
    return source != seen_.end() &&
           std::ranges::any_of(source->report.moves, [&](const db::MoveUnderWay& each) {
             return each.source && each.left && each.tenant == move.tenant &&
                    each.other == cell.label;
           });
  }

  void add_left(const std::string& label, const db::MoveUnderWay& move) {
    const char* harm = move.state == db::TenantState::fenced     ? ", its writes are refused"
                       : move.state == db::TenantState::draining ? ", it is not delivered"
                                                                 : "";
    add(Grade::critical, label,
        fmt::format("the move of the tenant {} {} the cell {} was left at \"{}\" {} s ago{}, and "
                    "no command is at it: `postern tenant move` in the cell that it leaves goes "
                    "on, or undoes it by --undo",
                    move.tenant, move.source ? "to" : "from", move.other, db::name(move.step),
                    move.age.count(), harm));
  }

  // The tenants of all cells side by side, name by name, since neither has to hold them all.
  void check_tenants() {
    if (shared_) return;  // each would be in two cells
    std::vector<Reading> readings;
    readings.reserve(seen_.size());
    for (auto& seen : seen_)
      readings.push_back({&seen, db::AllPlacements(seen.connection), nullptr});
    bool all = true;
    for (auto& reading : readings) all = all && read_next(reading);
    // Without one cell the others do not tell where its tenants are.
    while (all) {
      const Reading* least = nullptr;
      for (const auto& reading : readings) {
        if (reading.at != nullptr && (least == nullptr || reading.at->tenant < least->at->tenant)) {
          least = &reading;
        }
      }
      if (least == nullptr) break;
      const auto tenant = least->at->tenant;
      check_tenant(tenant, readings);
      for (auto& reading : readings) {
        if (reading.is_at(tenant)) all = all && read_next(reading);
      }
    }
    for (const auto& [sentence, of] : of_tenants_) {
      const auto& [label, before, after] = sentence;
      const auto more = of.more > 0 ? fmt::format(" (and {} more)", of.more) : "";
      add(of.grade, label, before + of.first + more + after);
    }
  }

  // False: the cell does not answer any more, which has been said.
  bool read_next(Reading& reading) {
    try {
      reading.at = reading.all.next();
      return true;
    } catch (const db::PgError& error) {
      add_unanswered(*reading.seen->cell, error);
      return false;
    }
  }

  void check_tenant(const std::string& tenant, const std::vector<Reading>& readings) {
    const Reading* here = nullptr;
    for (const auto& reading : readings) {
      if (!reading.is_at(tenant) || reading.at->state == db::TenantState::moved ||
          reading.at->state == db::TenantState::arriving) {
        continue;
      }
      // Each cell is made with the tenant `default`.
      if (here != nullptr && tenant != "default" && !is_about_to_leave(*here, reading) &&
          !is_about_to_leave(reading, *here)) {
        add_of(tenant, Grade::critical, reading.seen->cell->label, "the tenant ",
               fmt::format(" is in {}, too", here->seen->cell->label));
      }
      if (here == nullptr) here = &reading;
    }
    for (const auto& reading : readings) {
      if (reading.is_at(tenant) && reading.at->state == db::TenantState::moved) {
        check_moved(reading.seen->cell->label, *reading.at, here != nullptr);
      }
    }
  }

  // It has arrived in the other cell, and a command is about to say so to this one, which writes
  // nothing of it. Asked anew: what was read of moves is older than what was read of tenants.
  bool is_about_to_leave(const Reading& leaves, const Reading& arrives) {
    if (leaves.at->state == db::TenantState::here) return false;
    const auto& tenant = leaves.at->tenant;
    const auto &from = *leaves.seen->cell, &to = *arrives.seen->cell;
    try {
      const auto now = db::placement(leaves.seen->connection, tenant);
      if (!now || (now->state != db::TenantState::fenced && now->cell != to.label)) return false;
      const auto report = db::report_cell(leaves.seen->connection);
      if (now->state == db::TenantState::fenced &&
          std::ranges::none_of(report.moves, [&](const db::MoveUnderWay& each) {
            return each.source && !each.left && each.tenant == tenant && each.other == to.label;
          })) {
        return false;
      }
    } catch (const db::PgError& error) {
      add_unanswered(from, error);
      return true;
    }
    notes_.push_back(fmt::format("{}: the tenant {} has arrived in {}; its move is about to end",
                                 from.label, tenant, to.label));
    return true;
  }

  void check_moved(const std::string& label, const db::Placement& placement, bool here) {
    const auto to = std::ranges::find(cells_, placement.cell, &Cell::label);
    if (to == cells_.end()) {
      return add_of(
          placement.tenant, Grade::critical, label, "the tenant ",
          fmt::format(" has moved to {}, which the folder has no file of", placement.cell));
    }
    if (to->complaint.empty() && to->settings.public_url != placement.url) {
      add_of(placement.tenant, Grade::warning, label, "requests for the tenant ",
             fmt::format(" are sent on to {}, but the public_url of {} is {}: let the old address "
                         "go on answering",
                         placement.url, placement.cell, to->settings.public_url));
    }
    const bool seen = std::ranges::any_of(
        seen_, [&](const Seen& each) { return each.cell->label == placement.cell; });
    if (seen && !here) {
      add_of(placement.tenant, Grade::critical, label, "the tenant ",
             fmt::format(" has moved to {}, and is in no cell", placement.cell));
    }
  }

  // What holds of many tenants is said once, with the name of the first.
  void add_of(const std::string& tenant, Grade grade, const std::string& label,
              const std::string& before, const std::string& after) {
    const auto [it, first] =
        of_tenants_.emplace(std::tuple(label, before, after), OfTenants{grade, tenant});
    if (!first) ++it->second.more;
  }

  const Context& context_;
  const Cells read_;
  const std::vector<Cell>& cells_;
  std::vector<Seen> seen_;
  std::vector<Finding> findings_;
  std::vector<std::string> notes_;
  // By cell, and what is said before and after the name.
  std::map<std::tuple<std::string, std::string, std::string>, OfTenants> of_tenants_;
  bool shared_ = false;  // two cells have one database
};

// In a line: the first of the findings that are as bad as all of them together.
std::string summary(const std::vector<Finding>& findings, Grade worst) {
  const auto first = std::ranges::find(findings, worst, &Finding::grade);
  if (first == findings.end()) return "the cells fit together";
  return fmt::format("{}{}{}{}", first->cell, first->cell.empty() ? "" : ": ", first->sentence,
                     findings.size() > 1 ? fmt::format(" ({} findings)", findings.size()) : "");
}

}  // namespace

void add_cell_check(Command& cell, Context& context) {
  auto folder = std::make_shared<std::string>(kCellsFolder);
  Command command = cell.add("check", "Look whether the cells fit together");
  command.footer(kHelp);
  add_cells_option(command, *folder);
  command.run([&context, folder] {
    const Check check(context, *folder);
    std::vector<std::vector<std::string>> rows;
    Grade worst = Grade::ok;
    for (const auto& [grade, label, sentence] : check.findings()) {
      rows.push_back({word(grade), label, sentence});
      worst = worse(worst, grade);
    }
    // A monitor shows the first line.
    if (!context.json) {
      fmt::print("{} - {}\n", word(worst), summary(check.findings(), worst));
    }
    if (!rows.empty() || context.json) {
      print_table({"verdict", "cell", "finding"}, rows, context.json);
    }
    std::fflush(stdout);  // some read both as one
    for (const auto& note : check.notes()) complain(note);
    throw Exit{static_cast<int>(worst)};
  });
}

}  // namespace postern::admin
