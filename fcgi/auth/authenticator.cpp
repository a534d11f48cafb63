#include "fcgi/auth/authenticator.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/base/crypto.h"
#include "core/base/headers.h"
#include "core/base/json_writer.h"
#include "core/model/queue.h"
#include "core/model/validation.h"
#include "core/program/clock.h"
#include "core/program/log.h"
#include "db/catalog/keys.h"
#include "fcgi/auth/admission.h"
#include "fcgi/auth/caller.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

// Bytes. nginx reads somewhat longer headers (nginx/site.conf), so that this limit can be told.
constexpr std::size_t kMaxCredential = 8192;

// A revoked key works this much longer, and each key costs the database one look in this time.
constexpr char kKeepSeconds[] = "5";

struct Answer {
  Verdict verdict;
  db::Identity identity;
  std::string sandbox = {};  // as HttpRequest has it
  bool vouched = false;      // for the role "operator"
  // Why it is refused, where the verdict does not say it all.
  std::optional<Error> refusal = std::nullopt;
};

Answer refused(Verdict verdict, Error refusal) {
  return {verdict, {}, {}, false, std::move(refusal)};
}

Error unauthenticated(std::string reason, std::string message) {
  return {Errc::unauthenticated, std::move(reason), "", std::move(message)};
}

// The one credential given, however long; nullopt when what is given cannot be one. Empty: none.
std::optional<std::string_view> credential(const HttpRequest& request) {
  constexpr std::string_view kBearer = "Bearer ";
  std::string_view bearer;
  if (!request.authorization.empty()) {
    const std::string_view given = request.authorization;
    if (!equal_ignoring_case(given.substr(0, kBearer.size()), kBearer)) return std::nullopt;
    bearer = given.substr(kBearer.size());
    while (bearer.starts_with(' ')) bearer.remove_prefix(1);
    if (bearer.empty()) return std::nullopt;
  }
  const std::string_view key = request.api_key;
  if (!bearer.empty() && !key.empty() && bearer != key) return std::nullopt;
  return bearer.empty() ? key : bearer;
}

bool is_jwt(std::string_view credential) {
  return std::count(credential.begin(), credential.end(), '.') == 2;
}

// What a token says needs no look at the database.
Answer judge_jwt(const JwtPolicy& jwt, std::string_view token, const HttpRequest& request,
                 const OperatorSources& operators) {
  const Time now = wall_clock();
  auto claims = verify_jwt(token, jwt.keys, now, jwt.rules);
  if (!claims) return refused(Verdict::invalid, claims.error());
  std::string& tenant = claims->tenant;
  if (tenant.empty()) tenant = request.tenant.empty() ? kDefaultTenant : request.tenant;
  if (!check_tenant(tenant, "tenant")) {
    return refused(Verdict::invalid,
                   unauthenticated("jwt_malformed", "The token's tenant is no tenant's name."));
  }
  if (!request.tenant.empty() && request.tenant != tenant) {
    return refused(Verdict::forbidden, {Errc::forbidden, "tenant_not_allowed", "",
                                        "The token belongs to another tenant."});
  }
  if (claims->role.empty()) {
    return refused(Verdict::forbidden,
                   {Errc::forbidden, "role_not_allowed", "", "The token has no role."});
  }
  return {Verdict::ok,
          {std::move(claims->subject), std::move(claims->role), std::move(tenant)},
          {},
          operators.token};
}

Answer judge(db::Pool& pool, const JwtPolicy& jwt, const HttpRequest& request,
             const OperatorSources& operators) {
  const auto key = credential(request);
  if (!key) return {Verdict::invalid, {}};
  if (key->empty()) return {Verdict::missing, {}};
  if (key->size() > kMaxCredential) {
    return refused(Verdict::invalid,
                   unauthenticated("credential_too_long",
                                   fmt::format("The credential has {} bytes; it may have {}.",
                                               key->size(), kMaxCredential)));
  }
  if (is_jwt(*key)) return judge_jwt(jwt, *key, request, operators);
  try {
    const Sha256 hash = sha256(*key);
    auto identity =
        read_from(pool, [&](auto& connection) { return db::authenticate(connection, hash); });
    if (!identity) return {Verdict::invalid, {}};
    if (!request.tenant.empty() && request.tenant != identity->tenant)
      return {Verdict::forbidden, {}};
    Answer answer{Verdict::ok, std::move(*identity)};
    if (key->starts_with(kSandboxKeyPrefix)) answer.sandbox = '1';
    answer.vouched = operators.key;
    return answer;
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    log::warn("authenticator failed error=\"{}\"", log_safe(what.substr(0, what.find('\n'))));
    return {Verdict::unavailable, {}};
  }
}

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::absent: return "";
    case Verdict::ok: return "ok";
    case Verdict::missing: return "missing";
    case Verdict::invalid: return "invalid";
    case Verdict::forbidden: return "forbidden";
    case Verdict::unavailable: return "unavailable";
  }
  return "";
}

// nginx knows 401 and 403 as refusals.
int status_of(const Error& refusal) {
  if (refusal.code == Errc::unauthenticated) return 401;
  return refusal.code == Errc::forbidden ? 403 : 503;
}

// What nginx asks for a location (nginx/location.conf).
Access access_of(const HttpRequest& question) {
  if (question.access == "create") return Access::create;
  return question.access == "who" ? Access::who : Access::read;
}

// What a handler would say to this caller.
Result<Caller> admitted(const HttpRequest& question, const Answer& answer) {
  if (answer.refusal) return *answer.refusal;
  HttpRequest request;
  request.tenant = question.tenant;
  request.verdict = answer.verdict;
  request.role = answer.identity.role;
  request.key_tenant = answer.identity.tenant;
  request.sandbox = answer.sandbox;
  if (answer.vouched) request.operator_vouched = '1';
  // A key or a token is not nginx's own word.
  return admit(request, access_of(question), {.operators = {.header = false}});
}

}  // namespace

HttpResponse authenticate(db::Pool& pool, const JwtPolicy& jwt, const HttpRequest& request,
                          const AdmissionRules& rules) {
  if (!rules.require_identity) return {204, {}, {}};
  Answer answer = judge(pool, jwt, request, rules.operators);
  const Result<Caller> caller = admitted(request, answer);
  HttpResponse response{204, {}, {}};
  if (!caller) {
    const Error& refusal = caller.error();
    response.status = status_of(refusal);
    response.header("Postern-Reason", refusal.reason);
    response.header("Postern-Message", json_quote(refusal.message));
    // nginx cuts the spaces off a header's end, so that another role would come out of "admin ".
    answer.identity.role.clear();
    if (answer.verdict == Verdict::ok) answer.verdict = Verdict::forbidden;
  }
  response.header("Postern-Verdict", std::string(name(answer.verdict)));
  response.header("Postern-Identity", answer.identity.name);
  response.header("Postern-Role", answer.identity.role);
  response.header("Postern-Tenant", answer.identity.tenant);
  response.header("Postern-Sandbox", answer.sandbox);
  if (caller && caller->role == Role::site_operator && answer.vouched) {
    response.header("Postern-Operator", "1");
  }
  response.header("X-Accel-Expires", answer.verdict == Verdict::unavailable ? "0" : kKeepSeconds);
  return response;
}

}  // namespace postern
