#include "fcgi/auth/admission.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/program/log.h"

namespace postern {
namespace {

// nullopt: there is no such role.
std::optional<Role> role_from(std::string_view word) {
  for (const Role role : {Role::read, Role::worker, Role::admin, Role::site_operator}) {
    if (word == name(role)) return role;
  }
  return std::nullopt;
}

bool allows(Role role, Access access) {
  switch (access) {
    case Access::open:
    case Access::who:
    case Access::read: return true;
    case Access::retry: return role >= Role::worker;
    case Access::create:
    case Access::write:
    case Access::admin: return role >= Role::admin;
    case Access::operate: return role == Role::site_operator;
  }
  return false;
}

// Whether the role "operator" of a request counts: a site's map, a sign-on or a token says whatever
// its owner wrote there, and must not make operators unless a setting says so.
bool vouched_for(const HttpRequest& request, const OperatorSources& sources) {
  if (request.operator_vouched == kVouchedByKey && sources.key) return true;
  if (request.operator_vouched == kVouchedByToken && sources.token) return true;
  return sources.header;
}

Error forbidden(std::string reason, std::string message) {
  return {Errc::forbidden, std::move(reason), "", std::move(message)};
}

const std::string& tenant_or_default(const std::string& tenant) {
  static const std::string fallback = kDefaultTenant;
  return tenant.empty() ? fallback : tenant;
}

}  // namespace

std::string_view name(Role role) {
  switch (role) {
    case Role::nobody: return "";
    case Role::read: return "read";
    case Role::worker: return "worker";
    case Role::admin: return "admin";
    case Role::site_operator: return "operator";
  }
  return "";
}

Result<Caller> admit(const HttpRequest& request, Access access, const AdmissionRules& rules) {
  if (access == Access::open) return Caller{};
  if (!rules.require_identity) {
    if (access == Access::operate) {
      return forbidden("role_not_allowed",
                       "Only an operator may do this, and under \"auth = none\" nobody is one.");
    }
    return Caller{
        .tenant = tenant_or_default(request.tenant), .role = Role::admin, .unchecked = true};
  }
  switch (request.verdict) {
    case Verdict::ok: break;
    case Verdict::absent:
    case Verdict::missing:
      if (access == Access::who) return Caller{};
      return Error{Errc::unauthenticated, "credential_missing", "",
                   "This needs an API key: Authorization: Bearer KEY, or X-API-Key: KEY."};
    case Verdict::invalid:
      return Error{Errc::unauthenticated, "credential_invalid", "",
                   "The API key is unknown, revoked or expired."};
    case Verdict::forbidden:
      return forbidden("tenant_not_allowed", "This API key belongs to another tenant.");
    case Verdict::unavailable:
      return unavailable("authenticator_unavailable",
                         "The API key cannot be checked at the moment. Try again.");
  }
  // The authenticator has compared the two already; but nginx may ask another.
  if (!request.tenant.empty() && !request.key_tenant.empty() &&
      request.tenant != request.key_tenant) {
    return forbidden("tenant_not_allowed", "This API key belongs to another tenant.");
  }
  const auto role = role_from(request.role);
  if (role == Role::site_operator && !vouched_for(request, rules.operators)) {
    return forbidden("role_not_allowed",
                     "The role \"operator\" is not taken from this source: the setting "
                     "operator_sources says whose word makes an operator.");
  }
  if (!role || !allows(*role, access)) {
    return forbidden("role_not_allowed",
                     fmt::format("The role \"{}\" may not do this.", log_safe(request.role)));
  }
  const bool sandbox = request.sandbox == "1";
  if (sandbox && access != Access::who && access != Access::read && access != Access::create) {
    return forbidden(
        "sandbox_not_allowed",
        "A sandbox key makes tasks, which are not delivered, and reads; it changes nothing.");
  }
  return Caller{tenant_or_default(request.key_tenant.empty() ? request.tenant : request.key_tenant),
                *role, sandbox, request.identity};
}

}  // namespace postern
