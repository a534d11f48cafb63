// `postern`, the operator's command: the schema, tenants, keys, secrets, a doctor, and help for
// those who write receivers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "db/admin/commands.h"
#include "db/admin/output.h"
#include "db/migrations.h"

namespace postern::admin {

db::PgConnection Context::connect(bool need_writable) const {
  try {
    return db::PgConnection::connect({settings.database, "postern", false, need_writable});
  } catch (const db::PgError& error) {
    fail(fmt::format("cannot connect to the database: {}", error.what()), json);
  }
}

void add_migrate(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "migrate",
      "Bring the database's schema up to this program; safe to run twice, or by many at once");
  auto status = std::make_shared<bool>(false);
  command->add_flag("--status", *status, "only show what is applied and what waits");
  command->callback([&context, status] {
    auto connection = context.connect();
    const auto applied = *status ? std::vector<std::string>{} : db::migrate(connection);
    std::vector<std::vector<std::string>> rows;
    for (const auto& migration : db::migration_status(connection)) {
      const bool now = std::find(applied.begin(), applied.end(), migration.name) != applied.end();
      rows.push_back({migration.name, now                 ? "applied now"
                                      : migration.applied ? "applied"
                                                          : "waiting"});
    }
    print_table({"migration", "state"}, rows, context.json);
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
