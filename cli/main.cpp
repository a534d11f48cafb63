// `postern`, the operator's command: the schema, tenants, keys, secrets, a doctor, and help for
// those who write receivers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "db/schema/migrations.h"

namespace postern::admin {

db::PgConnection Context::connect(bool need_writable) const {
  try {
    return db::PgConnection::connect({settings.database, "postern", false, need_writable});
  } catch (const db::PgError& error) {
    fail(fmt::format("cannot connect to the database: {}", error.what()), json);
  }
}

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

void add_migrate(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "migrate",
      "Bring the database's schema up to this program; safe to run twice, or by many at once");
  auto status = std::make_shared<bool>(false);
  command->add_flag("--status", *status, "only show what is applied and what waits");
  auto again = std::make_shared<bool>(false);
  command
      ->add_flag("--reapply", *again,
                 "apply every function again, for one that was changed by hand")
      ->excludes("--status");
  command->callback([&context, status, again] {
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

int main(int argc, char** argv) {
  using namespace postern;
  admin::Context context;
  CLI::App app{"postern: the operator's command of the HTTP task queue Postern", "postern"};
  app.require_subcommand(1);
  app.fallthrough();
  add_settings(app, context.settings, Program::admin);
  app.add_flag("--json", context.json, "print JSON, for programs");
  admin::add_migrate(app, context);
  admin::add_key(app, context);
  admin::add_tenant(app, context);
  admin::add_secret(app, context);
  admin::add_queue(app, context);
  admin::add_endpoint(app, context);
  admin::add_schedule(app, context);
  admin::add_task(app, context);
  admin::add_pause(app, context);
  admin::add_doctor(app, context);
  admin::add_verify(app, context);
  admin::add_listen(app, context);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const db::PgError& error) {
    admin::fail(fmt::format("the database refused: {}", error.what()), context.json);
  } catch (const std::exception& error) {
    admin::fail(error.what(), context.json);
  }
}
