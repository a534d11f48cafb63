// The subcommands of `postern`, each registered on the command line that it is given.
#pragma once

#include "cli/command/context.h"
#include "cli/command/options.h"

namespace postern::admin {

// `context` must outlive the parsing of `app`.
// By the API:
void add_task(Command& app, Context& context);
void add_queue(Command& app, Context& context);
void add_endpoint(Command& app, Context& context);
void add_schedule(Command& app, Context& context);
void add_numbers(Command& app, Context& context);
void add_server(Command& app, Context& context);
void add_top(Command& app, Context& context);
// On the host's database, or by the API at an address:
void add_key(Command& app, Context& context);
void add_tenant(Command& app, Context& context);
// On the host's database:
void add_setup(Command& app, Context& context);
void add_migrate(Command& app, Context& context);
void add_secret(Command& app, Context& context);
void add_pause(Command& app, Context& context);
void add_doctor(Command& app, Context& context);
void add_check(Command& app, Context& context);
// On the databases of several cells:
void add_cell(Command& app, Context& context);
// Without a database:
void add_verify(Command& app, Context& context);
void add_listen(Command& app, Context& context);
// For the build: `app` is described to man pages and completions.
void add_manual(CLI::App& app);

}  // namespace postern::admin
