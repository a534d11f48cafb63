// `postern tenant move`: a tenant's way to another cell.
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "cli/cells/cells.h"
#include "cli/command/ending.h"
#include "cli/output/confirm.h"
#include "cli/output/records.h"
#include "cli/output/show.h"
#include "core/model/cell.h"
#include "db/move/cell.h"
#include "db/move/forget.h"
#include "db/move/move.h"
#include "db/move/state.h"
#include "db/pg/lookout.h"
#include "db/schema/migrations.h"

namespace postern::admin {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kAskedAgain = 60s;
constexpr auto kAway = 5s;
// So many calls have that time anew, each of which has got as far as to both databases; then it is
// taken for a server that the move itself brings down.
constexpr int kCalls = 10;

constexpr char kHelp[] =
    R"(Copies what the tenant has to the other cell while all runs; then its writes are refused for a
moment, less than a second as a rule, while the rest is copied and the other cell takes over; then
what is left here is deleted. Interrupted, by whatever, it is called again and goes on.

  postern tenant move acme --to b
  postern tenant move acme --to b --undo    # before the other cell has taken over
  postern tenant move acme --to b --gone    # it is there: this cell was restored from a backup

It works on both databases, of which /etc/postern/cells/b.conf names the other one.)";

struct Arguments {
  std::string tenant, to, cells = kCellsFolder;
  std::string drain = "5s", pause = "10s";
  bool undo = false, accept = false, gone = false;
};

// What is under way, on standard error: one line each second at most, or one for each step.
class Progress {
 public:
  explicit Progress(bool json) : json_(json) {}

  void operator()(const std::string& step, std::int64_t rows) {
    const auto now = Clock::now();
    const bool same = step == last_;
    if (same && now < again_) return;
    last_ = step;
    again_ = now + 1s;
    if (json_) return;
    const auto seconds = std::chrono::duration<double>(now - begun_).count();
    fmt::print(stderr, "{:7.1f} s  {}{}\n", seconds, step,
               rows < 0 ? std::string() : fmt::format(": {}", rows));
  }

 private:
  bool json_;
  Clock::time_point begun_ = Clock::now(), again_{};
  std::string last_;
};

void check_schemas(db::Ends& ends, const Context& context) {
  for (auto* end : {&ends.source, &ends.target}) {
    for (const auto& file : db::schema_status(*end)) {
      if (file.state == db::FileStatus::State::applied) continue;
      fail(fmt::format("the cell {} has another schema than this program ({} differs): bring both "
                       "cells and this command to the same version, each by `postern migrate`",
                       end == &ends.source ? ends.source_cell : ends.target_cell, file.name),
           context.json);
    }
  }
}

void check_labels(const Context& context, const Cell& cell, const Arguments& arguments) {
  if (context.settings.cell.empty()) {
    fail(
        "this cell has no label: `cell = LABEL` in its settings names it, and its handlers and "
        "schedulers must have it, too",
        context.json);
  }
  if (cell.label == context.settings.cell) {
    fail(fmt::format("{} is this cell", arguments.to), context.json);
  }
  if (cell.settings.cell != cell.label) {
    fail(fmt::format("{} must say cell = {}", cell.file, cell.label), context.json);
  }
  if (cell.settings.public_url.empty()) {
    fail(fmt::format("{} has no public_url: this cell must be able to say where the tenant is",
                     cell.file),
         context.json);
  }
}

constexpr char kTryAgain[] = "try_again", kLookFirst[] = "look_first";

// Scripts are told by the code whether calling it again is all that there is to do.
[[noreturn]] void fail_refused(const db::MoveRefused& refused, const Context& context) {
  if (refused.kind == db::Refusal::later) {
    fail(fmt::format("{}. Call this again later: it goes on from where it is", refused.what()),
         context.json, kTryAgain);
  }
  const bool looks = refused.kind == db::Refusal::look_first;
  fail(refused.what(), context.json, looks ? kLookFirst : "not_done");
}

// Connects to both, and calls. A server that was restarted, or replaced by a standby, is asked
// again for a while, since a pause may be under way.
template <class Call>
void with_connections(const Context& context, const Context& other, const Arguments& arguments,
                      const Call& call) {
  const auto connect = [&](bool first) -> db::Ends {
    const auto to = [first](const Context& cell) { return first ? cell.connect() : cell.reach(); };
    return {to(context),           to(other),    arguments.tenant,
            context.settings.cell, arguments.to, other.settings.public_url};
  };
  auto until = Clock::now();
  for (int calls = 0;;) {
    bool connected = false;
    try {
      auto ends = connect(calls == 0);
      connected = true;
      ++calls;
      return call(ends);
    } catch (const db::MoveRefused& refused) {
      fail_refused(refused, context);
    } catch (const db::PgError& error) {
      if (error.is_wrong_step()) {
        fail(fmt::format("a database is not as this move left it: {}", error.what()), context.json,
             kLookFirst);
      }
      if (!error.is_passing() && !error.connection_lost()) throw;
      if (connected && calls <= kCalls) until = Clock::now() + kAskedAgain;
      if (Clock::now() > until) {
        fail(fmt::format("a database does not answer any more: {}. Call this again: the move goes "
                         "on, and the tenant's writes may be refused until then",
                         error.what()),
             context.json, kTryAgain);
      }
      std::this_thread::sleep_for(500ms);
    }
  }
}

// Why the cell's database cannot be reached; nullopt: it can, within some seconds, in which a
// standby may take over.
std::optional<std::string> why_away(const Context& cell) {
  const auto until = Clock::now() + kAway;
  while (true) {
    try {
      db::PgConnection::connect(cell.connection_options(true));
      return std::nullopt;
    } catch (const db::PgError& error) {
      if (Clock::now() > until) return error.what();
      std::this_thread::sleep_for(500ms);
    }
  }
}

void undo_alone(const Context& context, const Arguments& arguments, const std::string& why) {
  complain(fmt::format("the database of the cell {} cannot be reached: {}", arguments.to, why));
  auto source = context.connect();
  bool both = false;
  try {
    db::refuse_pooler(source, context.settings.cell);
    both = db::undo_without_target(source, arguments.tenant, arguments.to, arguments.accept);
  } catch (const db::MoveRefused& refused) {
    fail_refused(refused, context);
  }
  std::string next = "When it is back, call this again, which deletes that";
  if (both) {
    next = fmt::format(
        "If it had taken over, it delivers the tenant's tasks, too, when it is back: stop its "
        "schedulers before, and then, on one of its hosts, `postern tenant move {} --to {} --gone "
        "--accept` deletes what it has; never --gone here. If it had not, call this again then",
        arguments.tenant, context.settings.cell);
  }
  complain(fmt::format("what the cell {} has of the tenant stays there. {}", arguments.to, next));
  print_record({{"tenant", arguments.tenant}, {"cell", context.settings.cell}}, context.json);
}

void move(const Context& context, const Arguments& arguments) {
  if (!context.url.empty()) {
    throw UsageError(
        "--url, $POSTERN_URL: `postern tenant move` works on two databases, not by the API");
  }
  db::MoveOptions options;
  options.drain = duration_option("--drain", arguments.drain);
  options.pause = duration_option("--pause", arguments.pause);
  options.accept = arguments.accept;
  const Cell cell = require_cell(context, arguments.cells, arguments.to);
  const Context other = context.with(cell.settings);
  Progress told(context.json);
  const auto tell = [&told](const std::string& step, std::int64_t rows) { told(step, rows); };
  check_labels(context, cell, arguments);
  if (arguments.gone && !context.yes) {
    if (!asks_first(context)) throw UsageError("--gone: where nobody can be asked, it wants --yes");
    confirm(
        fmt::format("All that the cell {} has of the tenant {} is deleted, also what it has "
                    "taken since it was restored; the cell {} keeps what it has.",
                    context.settings.cell, arguments.tenant, arguments.to));
  }
  if (arguments.undo) {
    if (const auto why = why_away(other)) return undo_alone(context, arguments, *why);
  }
  // Whichever end fails over, nothing more is asked of its former primary.
  const db::Lookout source(context.connection_options(true)),
      target(other.connection_options(true));
  with_connections(context, other, arguments, [&](db::Ends& ends) {
    check_schemas(ends, context);
    if (!arguments.undo) db::refuse_wrong_cells(ends, arguments.gone);
    if (arguments.undo) {
      db::undo_move(ends, options.accept, tell);
      print_record({{"tenant", arguments.tenant}, {"cell", ends.source_cell}}, context.json);
      return;
    }
    if (arguments.gone) {
      const auto deleted = db::forget_tenant(ends, options.accept, tell);
      print_record({{"tenant", arguments.tenant},
                    {"cell", ends.target_cell},
                    {"url", ends.target_url},
                    {"deleted", std::to_string(deleted), true}},
                   context.json);
      return;
    }
    const auto roles = db::roles_of_tenant(ends);
    const auto result = db::move_tenant(ends, options, tell);
    if (!roles.empty()) {
      complain(
          fmt::format("these roles enqueue for the tenant by SQL in the old database, which "
                      "refuses it now; give theirs in the new one a tenant there: {}",
                      fmt::join(roles, ", ")));
    }
    print_record({{"tenant", arguments.tenant},
                  {"cell", ends.target_cell},
                  {"url", ends.target_url},
                  {"rows", std::to_string(result.rows), true},
                  {"compared", std::to_string(result.compared), true},
                  {"deleted", std::to_string(result.deleted), true},
                  {"pause ms", std::to_string(result.pause.count()), true},
                  {"pauses", std::to_string(result.tries), true},
                  {"repeats", std::to_string(result.repeats), true}},
                 context.json);
  });
}

}  // namespace

void add_tenant_move(Command& tenant, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  Command command = tenant.add("move", "Move a tenant to another cell, or go on with that");
  command.footer(kHelp);
  command.option("tenant", arguments->tenant, "the tenant").required();
  command.option("--to", arguments->to, "the label of the other cell").required();
  add_cells_option(command, arguments->cells);
  Option undo = command.flag("--undo", arguments->undo,
                             "undo a move that was interrupted before the other cell took over");
  command
      .flag("--gone", arguments->gone,
            "the tenant has moved there before, which this cell does not know since it was "
            "restored from an older backup: delete what it has of it")
      .excludes(undo);
  command.flag("--accept", arguments->accept,
               "the databases are the right ones as they are now, after a restore or an upgrade in "
               "mid-move; with --undo, also when the other cell has lost the tenant for good; with "
               "--gone, also when it has nothing of it");
  command
      .option("--drain", arguments->drain,
              "how long attempts under way are waited for; those that take longer are repeated")
      .show_default();
  command
      .option("--pause", arguments->pause,
              "how long writes may be refused; then that is given up, and tried again later")
      .show_default();
  command.run([&context, arguments] { move(context, *arguments); });
}

}  // namespace postern::admin
