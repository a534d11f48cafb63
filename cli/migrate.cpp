// `postern migrate`.
#include "db/schema/migrations.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/output.h"

namespace postern::admin {
namespace {

const char* word(db::FileStatus::State state) {
  switch (state) {
    case db::FileStatus::State::applied: return "applied";
    case db::FileStatus::State::changed: return "changed";
    case db::FileStatus::State::missing: return "waiting";
  }
  return "";
}

}  // namespace

void add_migrate(Command& app, Context& context) {
  Command command = app.add(
      "migrate",
      "Bring the database's schema up to this program; safe to run twice, or by many at once");
  auto status = std::make_shared<bool>(false);
  auto again = std::make_shared<bool>(false);
  Option status_flag =
      command.flag("--status", *status, "only show what is applied and what waits");
  command.flag("--reapply", *again, "apply every function again, for one that was changed by hand")
      .excludes(status_flag);
  command.run([&context, status, again] {
    auto connection = context.connect();
    const auto done = *status ? db::Migrated{} : db::migrate(connection);
    if (*again && !done.newer_release) {
      db::Transaction transaction(connection);
      db::reapply(connection, db::embedded_schema());
      transaction.commit();
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& file : db::schema_status(connection)) {
      const bool now =
          std::find(done.applied.begin(), done.applied.end(), file.name) != done.applied.end();
      rows.push_back({file.name, now ? "applied now" : word(file.state)});
    }
    print_table({"file", "state"}, rows, context.json);
    if (!done.newer_release) return;
    fmt::print(stderr,
               "postern: {} has migrated this database; this program ({}) changes nothing\n",
               db::release_text(*done.newer_release), POSTERN_VERSION);
    if (const auto misfit = db::schema_misfit(connection)) fail(*misfit, context.json);
  });
}

}  // namespace postern::admin
