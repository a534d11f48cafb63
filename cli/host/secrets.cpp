// The secrets that sign webhooks, at the command line.
#include <memory>

#include <fmt/format.h>

#include "cli/api/api.h"
#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/host/tenants.h"
#include "cli/output/records.h"
#include "core/security/signing.h"
#include "db/catalog/keys.h"

namespace postern::admin {

void add_secret(Command& app, Context& context) {
  Command secret = app.add("secret", "The secrets that sign webhooks");
  secret.require_subcommand();
  auto tenant = std::make_shared<std::string>("default");

  const auto show_secrets = [&context, tenant](db::PgConnection& connection) {
    require_tenant_here(context, connection, *tenant);
    const auto secrets = db::tenant_secrets(connection, *tenant);
    if (!secrets) fail(no_such_tenant(*tenant), context.json);
    print_record({{"tenant", *tenant},
                  {"secret", secrets->current},
                  {"previous", secrets->previous},
                  {"previous until", show(secrets->previous_until)}},
                 context.json);
  };

  Command display = secret.add("show", "Print a tenant's secrets");
  display.option("--tenant", *tenant, "whose").show_default();
  display.run([&context, show_secrets] {
    auto connection = context.connect(false);
    show_secrets(connection);
  });

  auto force = std::make_shared<bool>(false);
  auto overlap = std::make_shared<std::string>("24h");
  Command rotate = secret.add("rotate", "Make a new secret; the old one signs too for a while");
  rotate.option("--tenant", *tenant, "whose").show_default();
  rotate.option("--overlap", *overlap, "how long both sign").show_default();
  rotate.flag("--force", *force,
              "even while an earlier rotation's overlap runs: its old secret ends now");
  rotate.run([&context, tenant, force, overlap, show_secrets] {
    const Seconds both = duration_option("--overlap", *overlap);
    auto connection = context.connect();
    require_tenant_here(context, connection, *tenant);
    if (!db::rotate_secret(connection, *tenant, make_webhook_secret(), both, *force)) {
      fail(
          "the last rotation's overlap still runs: receivers may not know the present secret yet "
          "(--force rotates all the same)",
          context.json);
    }
    show_secrets(connection);
  });
}

}  // namespace postern::admin
