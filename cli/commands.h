// The subcommands of `postern`, each registered on the command line that it is given. They share
// the connection and the choice of output.
#pragma once

#include "cli/options.h"
#include "core/program/config.h"
#include "db/pg/connection.h"

namespace postern::admin {

inline constexpr char kOperator[] = "postern_operator";
inline constexpr char kMigrator[] = "postern_migrator";

struct Context {
  Settings settings;
  bool json = false;
  bool wide = false;  // tables are not cut
  bool yes = false;   // what changes many is not asked about
  // Of the API, when it is to be asked over HTTP. An empty address: the host's database.
  std::string url, key, key_file, ca_file;

  // `role`: as whom the command connects when root started it and the settings name no user.
  db::PgConnection::Options connection_options(bool need_writable,
                                               const char* role = kOperator) const;
  // Connects as the settings say; ends the command with a sentence when that fails.
  db::PgConnection connect(bool need_writable = true, const char* role = kOperator) const;
};

// Ends the command when there is no such tenant.
void require_tenant(const Context& context, db::PgConnection& connection,
                    const std::string& tenant);

// `context` must outlive the parsing of `app`.
// By the API:
void add_task(Command& app, Context& context);
void add_queue(Command& app, Context& context);
void add_endpoint(Command& app, Context& context);
void add_schedule(Command& app, Context& context);
void add_server(Command& app, Context& context);
void add_top(Command& app, Context& context);
// On the host's database:
void add_setup(Command& app, Context& context);
void add_migrate(Command& app, Context& context);
void add_key(Command& app, Context& context);
void add_tenant(Command& app, Context& context);
void add_secret(Command& app, Context& context);
void add_pause(Command& app, Context& context);
void add_doctor(Command& app, Context& context);
void add_check(Command& app, Context& context);
// Without a database:
void add_verify(Command& app, Context& context);
void add_listen(Command& app, Context& context);
// For the build: `app` is described to man pages and completions.
void add_manual(CLI::App& app);

}  // namespace postern::admin
