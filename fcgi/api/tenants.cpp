#include "fcgi/api/tenants.h"

#include <fmt/format.h>

#include "core/model/validation.h"
#include "core/program/log.h"
#include "core/security/signing.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

// Of each tenant, so that a page costs little whatever there is.
constexpr int kMostQueuesCounted = 100'000;

}  // namespace

TenantsApi::Page TenantsApi::list(std::string_view after, int limit) {
  Page page;
  page.tenants = read_from(reads_, [&](auto& connection) {
    return db::tenants_after(connection, after, limit + 1, kMostQueuesCounted);
  });
  page.more = page.tenants.size() > static_cast<std::size_t>(limit);
  if (page.more) page.tenants.pop_back();
  return page;
}

Result<Time> TenantsApi::create(const Caller& caller, std::string_view name) {
  if (const auto ok = check_tenant(name, "name"); !ok) return ok.error();
  const std::string secret = make_webhook_secret();
  const auto made =
      write_to(pool_, [&](auto& connection) { return db::make_tenant(connection, name, secret); });
  if (!made) return made.error();
  if (!*made) {
    return Error{Errc::duplicate, "tenant_already_exists", "name",
                 fmt::format("There is a tenant \"{}\" already.", name)};
  }
  log::info("tenant made name={} by=\"{}\"", name, log_safe(caller.identity));
  return **made;
}

}  // namespace postern
