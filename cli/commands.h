// The subcommands of `postern`, each registered on the command line it is given. What they have in
// common is the connection and the choice of output.
#pragma once

#include "core/program/config.h"
#include "db/pg/connection.h"

namespace CLI {
class App;
}

namespace postern::admin {

struct Context {
  Settings settings;
  bool json = false;

  // Connects as the settings say; ends the command with a sentence when that fails.
  db::PgConnection connect(bool need_writable = true) const;
};

// `context` must outlive the parsing of `app`.
void add_migrate(CLI::App& app, Context& context);
void add_key(CLI::App& app, Context& context);
void add_tenant(CLI::App& app, Context& context);
void add_secret(CLI::App& app, Context& context);
void add_queue(CLI::App& app, Context& context);
void add_endpoint(CLI::App& app, Context& context);
void add_schedule(CLI::App& app, Context& context);
void add_task(CLI::App& app, Context& context);
void add_pause(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
// Without a database:
void add_verify(CLI::App& app, Context& context);
void add_listen(CLI::App& app, Context& context);

}  // namespace postern::admin
