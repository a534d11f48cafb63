// Tenants at the command line.
#include <limits>
#include <memory>

#include <fmt/format.h>

#include "cli/api/api.h"
#include "cli/cells/cells.h"
#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/host/tenants.h"
#include "cli/objects/client.h"
#include "cli/output/records.h"
#include "cli/output/show.h"
#include "core/base/json_writer.h"
#include "core/model/validation.h"
#include "core/security/signing.h"
#include "db/catalog/keys.h"
#include "db/catalog/placement.h"

namespace postern::admin {
namespace {

constexpr std::size_t kPage = 100;
constexpr int kOfDatabase = 1'000;  // a page, too
constexpr Column kColumns[] = {{"name", "name", 0},
                               {"created at", "created_at", 2},
                               {"queues", "queues", 1},
                               {"live tasks", "tasks_live", 1},
                               {"keys", "keys", 3}};

std::string flag_of(std::string_view field) { return field == "name" ? "--name" : ""; }

void create_by_api(const Context& context, const std::string& name) {
  Client client(context, std::nullopt);
  JsonWriter body;
  body.begin_object().member("name", name).end_object();
  print_object(client.ask({"POST", {"tenants"}, {}, body.take()}, flag_of), context);
}

void list_by_api(const Context& context) {
  Client client(context, std::nullopt, Client::Purpose::look);
  const auto found =
      client.list({"GET", {"tenants"}}, "tenants", std::numeric_limits<int>::max(), kPage);
  print_objects(found.objects, kColumns, context);
}

}  // namespace

void require_tenant(const Context& context, db::PgConnection& connection,
                    const std::string& tenant) {
  if (!db::has_tenant(connection, tenant)) fail(no_such_tenant(tenant), context.json);
}

void require_tenant_here(const Context& context, db::PgConnection& connection,
                         const std::string& tenant) {
  require_tenant(context, connection, tenant);
  const auto place = db::placement(connection, tenant);
  if (!place || place->state != db::TenantState::moved) return;
  fail(fmt::format("the tenant {} has moved to the cell {} ({}): call this on a host of that cell",
                   tenant, place->cell, place->url),
       context.json);
}

void add_tenant(Command& app, Context& context) {
  Command tenant = app.add("tenant", "Tenants: each sees only its own tasks");
  tenant.require_subcommand();
  auto name = std::make_shared<std::string>();
  Command make = tenant.add("create", "Make a tenant and its webhook secret");
  make.option("--name", *name, "lower-case letters, digits, - and _").required();
  make.run([&context, name] {
    if (!context.url.empty()) return create_by_api(context, *name);
    if (const auto checked = check_tenant(*name, "--name"); !checked) {
      fail(checked.error().message, context.json);
    }
    auto connection = context.connect();
    if (db::create_tenant(connection, *name, make_webhook_secret()) == db::Made::name_taken) {
      fail(fmt::format("tenant {} exists already", *name), context.json);
    }
    print_record({{"tenant", *name}}, context.json);
  });
  tenant.add("list", "Show all tenants; by --url for operators").run([&context] {
    if (!context.url.empty()) return list_by_api(context);
    auto connection = context.connect(false);
    Table table({"name", "created at", "state", "moved to"}, context.json);
    std::string after;
    while (true) {
      const auto page = db::list_tenants(connection, after, kOfDatabase);
      if (page.empty()) return table.end();
      std::vector<std::vector<std::string>> rows;
      for (const auto& info : page) {
        rows.push_back({info.name, show(info.created_at), info.state, info.moved_to});
      }
      table.print(std::move(rows));
      after = page.back().name;
    }
  });
  add_tenant_move(tenant, context);
}

}  // namespace postern::admin
