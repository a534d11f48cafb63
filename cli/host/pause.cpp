// Pausing and resuming the whole engine.
#include <fmt/format.h>

#include <memory>

#include "cli/command/commands.h"
#include "cli/output/records.h"
#include "db/catalog/engine_pause.h"

namespace postern::admin {
namespace {

void add_switch(Command& app, Context& context, const char* name, const char* help, bool paused) {
  Command command = app.add(name, help);
  auto all = std::make_shared<bool>(false);
  command.flag("--all", *all, "the whole engine; queues, endpoints and schedules have their own")
      .required();
  command.footer(fmt::format("Example, around the restore of a backup: postern {} --all", name));
  command.run([&context, paused, all] {
    auto connection = context.connect();
    db::pause_engine(connection, paused);
    std::vector<RecordField> fields{{"engine", paused ? "paused" : "running"}};
    if (context.json) fields.push_back({"paused", paused ? "true" : "false", true});
    print_record(fields, context.json);
  });
}

}  // namespace

void add_pause(Command& app, Context& context) {
  add_switch(app, context, "pause", "Deliver nothing until `resume`; tasks are taken in and wait",
             true);
  add_switch(app, context, "resume", "Deliver again", false);
}

}  // namespace postern::admin
