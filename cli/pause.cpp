// Pausing and resuming the whole engine.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "db/catalog/engine_pause.h"

namespace postern::admin {
namespace {

void add_switch(CLI::App& app, Context& context, const char* name, const char* help, bool paused) {
  auto* command = app.add_subcommand(name, help);
  auto all = std::make_shared<bool>(false);
  command
      ->add_flag("--all", *all, "the whole engine; queues, endpoints and schedules have their own")
      ->required();
  command->footer(fmt::format("Example, around the restore of a backup: postern {} --all", name));
  command->callback([&context, paused, all] {
    auto connection = context.connect();
    db::pause_engine(connection, paused);
    print_record({{"engine", paused ? "paused" : "running"}}, context.json);
  });
}

}  // namespace

void add_pause(CLI::App& app, Context& context) {
  add_switch(app, context, "pause", "Deliver nothing until `resume`; tasks are taken in and wait",
             true);
  add_switch(app, context, "resume", "Deliver again", false);
}

}  // namespace postern::admin
