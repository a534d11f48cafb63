// `postern migrate`.
#include "db/schema/migrations.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/output/records.h"
#include "db/schema/roles.h"

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
  auto roles = std::make_shared<bool>(false);
  auto own = std::make_shared<bool>(false);
  Option status_flag =
      command.flag("--status", *status, "only show what is applied and what waits");
  command.flag("--reapply", *again, "apply every function again, for one that was changed by hand")
      .excludes(status_flag);
  Option roles_flag = command.flag("--roles", *roles,
                                   "only make the roles, in any database: a dump can then be "
                                   "restored into a fresh cluster");
  roles_flag.excludes(status_flag);
  command
      .flag("--own-database", *own,
            "the database is for Postern alone: besides, take what everybody else may do in it")
      .excludes(status_flag)
      .excludes(roles_flag);
  command.footer("Example: postern migrate --database 'host=db.example user=admin dbname=postern'");
  command.run([&context, status, again, roles, own] {
    auto connection = context.connect(true, kMigrator);
    if (*roles) {
      db::make_roles(connection);
      print_record({{"roles", fmt::format("{} are there", fmt::join(db::kRoles, ", "))}},
                   context.json);
      return;
    }
    const auto done =
        *status ? db::Migrated{} : db::migrate(connection, db::embedded_schema(), *again);
    if (*own && !done.newer_release) db::tighten_database(connection);
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
