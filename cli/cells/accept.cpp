// `postern cell accept`: after a restore, a move to another server or an upgrade, the programs of
// this host are to work with what the database is now (db/pg/primary.h).
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "cli/cells/cells.h"
#include "cli/command/ending.h"
#include "cli/output/confirm.h"
#include "cli/output/records.h"
#include "core/program/clock.h"
#include "core/program/state_folder.h"
#include "db/pg/primary.h"

namespace postern::admin {
namespace {

struct Folder {
  std::string path;
  std::optional<db::KnownPrimary> known;
  std::string state;  // for people
};

bool is_same(const db::KnownPrimary& one, const db::KnownPrimary& other) {
  return one.system == other.system && one.timeline == other.timeline;
}

// Those that exist, with what the programs keep there. The one around the others is no program's
// unless it has a file.
std::vector<Folder> folders_of(const Context& context, const db::KnownPrimary& now) {
  std::vector<Folder> out;
  for (const auto& path : state_folders(context.settings)) {
    struct stat found {};
    if (stat(path.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) continue;
    Folder folder{path, std::nullopt, ""};
    try {
      folder.known = db::read_primary(path);
      folder.state = !folder.known                 ? "nothing is remembered"
                     : is_same(*folder.known, now) ? "the same"
                                                   : "DIFFERS: refuses the database";
    } catch (const std::exception& error) {
      folder.state = error.what();
    }
    const bool around = path == state_folders(context.settings).front();
    if (!around || folder.known || !context.settings.state_dir.empty()) out.push_back(folder);
  }
  return out;
}

void print(const Context& context, const db::KnownPrimary& now,
           const std::vector<Folder>& folders) {
  const auto row = [](const std::string& where, const db::KnownPrimary& is, std::string state) {
    const auto accepted =
        is.accepted == 0 ? std::nullopt : std::optional(Time{Seconds{is.accepted}});
    return std::vector<std::string>{where, is.system == 0 ? "" : std::to_string(is.system),
                                    is.timeline == 0 ? "" : std::to_string(is.timeline),
                                    show(accepted), std::move(state)};
  };
  std::vector<std::vector<std::string>> rows{row("the database", now, "is now")};
  for (const auto& folder : folders) {
    rows.push_back(row(folder.path, folder.known.value_or(db::KnownPrimary{}), folder.state));
  }
  print_table({"where", "system", "timeline", "accepted at", "state"}, rows, context.json);
}

// Newer than whatever they know, so that running programs take it for newer, too.
std::int64_t stamp(const std::vector<Folder>& folders) {
  std::int64_t out = wall_clock().time_since_epoch() / Seconds{1};
  for (const auto& folder : folders) {
    if (folder.known) out = std::max(out, folder.known->accepted + 1);
  }
  return out;
}

void accept(const Context& context) {
  auto options = context.connection_options(true);
  options.primary.reset();  // it refuses what is to be accepted
  auto connection = db::PgConnection::connect(options);
  const auto now = db::primary_of(connection);
  if (now.timeline == 0) {
    fail("the server does not tell its timeline, so the programs do not compare it either",
         context.json);
  }
  auto folders = folders_of(context, now);
  if (folders.empty()) {
    const auto said = fmt::format(
        "no program keeps anything in {} or below, so there is nothing to accept: "
        "programs without a state_dir take what they find when they start",
        state_folders(context.settings).front());
    if (!context.settings.state_dir.empty()) fail(said, context.json);
    complain(said);
    return print(context, now, folders);
  }
  const bool all_same = std::ranges::all_of(
      folders, [&](const Folder& folder) { return folder.known && is_same(*folder.known, now); });
  if (all_same) return print(context, now, folders);
  if (asks_first(context)) {
    if (!context.json) print(context, now, folders);
    confirm(
        fmt::format("From now on the programs of this host work with system {} on timeline {}, "
                    "and with nothing older.",
                    now.system, now.timeline));
  }
  auto accepted = now;
  accepted.accepted = stamp(folders);
  std::string failed;
  for (auto& folder : folders) {
    try {
      db::write_primary(folder.path, accepted);
      folder.known = accepted;
      folder.state = "accepted";
    } catch (const std::exception& error) {
      folder.state = failed = error.what();
    }
  }
  if (!failed.empty()) fail(failed + ". Run this as root", context.json);
  print(context, now, folders);
}

}  // namespace

void add_cell_accept(Command& cell, Context& context) {
  Command command = cell.add(
      "accept",
      "Make the programs of this host accept the database as it is now, after a restore, a move to "
      "another server or an upgrade of PostgreSQL");
  command.footer(
      "They remember which PostgreSQL is the primary, and refuse one that has been replaced. "
      "Running programs look again when they connect, within a second; stopped ones when they "
      "start. To be run on each host that has programs of Postern, as root.");
  command.run([&context] { accept(context); });
}

}  // namespace postern::admin
