#include "fcgi/api/keys.h"

#include <utility>

#include <fmt/format.h>

#include "core/model/api_key.h"
#include "core/program/clock.h"
#include "core/program/log.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

// Keys of a tenant: so many may work, and so many of those that have ended are kept and shown.
constexpr int kMostWorking = 1'000;
constexpr int kKept = 1'000;
constexpr int kEndedShown = 100;

Error forbidden(std::string reason, std::string field, std::string message) {
  return {Errc::forbidden, std::move(reason), std::move(field), std::move(message)};
}

Result<void> check_known(const Caller& caller) {
  if (!caller.unchecked) return {};
  return forbidden(
      "identity_required", "",
      "The server is set to ask nobody who they are (auth = none), so keys are managed "
      "on its host alone: postern key.");
}

Result<void> check_role(std::string_view role) {
  if (role == "read" || role == "worker" || role == "admin") return {};
  if (role == "operator") {
    return forbidden("role_not_allowed", "role",
                     "An operator's key is made on the server's host alone: postern key create "
                     "--role operator.");
  }
  return invalid("role_invalid", "role", "role must be read, worker or admin.");
}

}  // namespace

Result<KeysApi::Listed> KeysApi::list(const Caller& caller) {
  if (const auto ok = check_known(caller); !ok) return ok.error();
  auto keys = read_from(reads_, [&](auto& connection) {
    return db::keys_of(connection, caller.tenant, kMostWorking + 1, kEndedShown + 1);
  });
  const Time now = database_clock();
  Listed out;
  int working = 0, ended = 0;
  for (auto& key : keys) {
    const bool works = !key.revoked_at && (!key.expires_at || *key.expires_at > now);
    if (works ? ++working > kMostWorking : ++ended > kEndedShown) {
      out.more = true;
    } else {
      out.keys.push_back(std::move(key));
    }
  }
  return out;
}

Result<KeysApi::Made> KeysApi::create(const Caller& caller, const Wanted& wanted) {
  if (const auto ok = check_known(caller); !ok) return ok.error();
  if (const auto ok = check_key_name(wanted.name, "name"); !ok) return ok.error();
  if (const auto ok = check_role(wanted.role); !ok) return ok.error();
  if (wanted.expires_at && *wanted.expires_at <= database_clock()) {
    return invalid("expires_at_invalid", "expires_at",
                   "expires_at has passed: such a key would never work.");
  }
  Made made{make_api_key(wanted.sandbox, cell_),
            {.name = wanted.name,
             .role = wanted.role,
             .tenant = caller.tenant,
             .sandbox = wanted.sandbox,
             .expires_at = wanted.expires_at}};
  const db::NewKey fresh{sha256(made.text), wanted.name,    wanted.role,
                         caller.tenant,     wanted.sandbox, wanted.expires_at};
  const auto done = write_to(pool_, [&](auto& connection) {
    return db::make_key(connection, fresh, kMostWorking, kKept, made.key.created_at);
  });
  if (!done) return done.error();
  switch (*done) {
    case db::Made::yes: break;
    case db::Made::name_taken:
      return Error{
          Errc::duplicate, "key_already_exists", "name",
          fmt::format("There is a key \"{}\" already, which may have ended.", wanted.name)};
    case db::Made::no_tenant:
      return not_found("tenant_not_found",
                       fmt::format("There is no tenant \"{}\".", caller.tenant));
    case db::Made::too_many:
      return conflict(
          "quota_exceeded",
          fmt::format("{} keys of the tenant work already: revoke some.", kMostWorking));
  }
  log::info("key made tenant={} name=\"{}\" role={} by=\"{}\"", caller.tenant,
            log_safe(wanted.name), wanted.role, log_safe(caller.identity));
  return made;
}

Result<db::KeyInfo> KeysApi::revoke(const Caller& caller, std::string_view name) {
  if (const auto ok = check_known(caller); !ok) return ok.error();
  auto done = write_to(pool_, [&](auto& connection) {
    return db::end_key(connection, caller.tenant, name, caller.role == Role::site_operator);
  });
  if (!done) return done.error();
  if (!*done) {
    return not_found("key_not_found", fmt::format("There is no key \"{}\".", log_safe(name)));
  }
  db::KeyInfo& key = **done;
  if (!key.revoked_at) {
    return forbidden("role_not_allowed", "", "Only an operator may revoke an operator's key.");
  }
  log::info("key revoked tenant={} name=\"{}\" by=\"{}\"", caller.tenant, log_safe(name),
            log_safe(caller.identity));
  return std::move(key);
}

}  // namespace postern
