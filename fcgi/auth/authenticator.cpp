#include "fcgi/auth/authenticator.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/base/crypto.h"
#include "core/base/headers.h"
#include "core/base/hex.h"
#include "core/base/json_writer.h"
#include "core/model/queue.h"
#include "core/model/validation.h"
#include "core/program/clock.h"
#include "core/program/log.h"
#include "core/program/log_throttle.h"
#include "db/catalog/keys.h"
#include "fcgi/auth/admission.h"
#include "fcgi/auth/caller.h"
#include "fcgi/auth/placements.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

// Bytes. nginx reads somewhat longer headers (nginx/site.conf), so that this limit can be told.
constexpr std::size_t kMaxCredential = 8192;

// A revoked key works this much longer, and each key costs the database one look in this time.
constexpr char kKeepSeconds[] = "5";
// While the caller's tenant is about to leave this cell.
constexpr char kKeepSecondsLeaving[] = "1";

struct Answer {
  Verdict verdict;
  db::Identity identity;
  std::string sandbox = {};                  // as HttpRequest has it
  std::string_view source = {};              // as HttpRequest::operator_vouched has it
  std::optional<Sha256> key = std::nullopt;  // the hash of the API key that it is, if it is one
  // Why it is refused, where the verdict does not say it all.
  std::optional<Error> refusal = std::nullopt;
};

Answer refused(Verdict verdict, Error refusal) {
  return {verdict, {}, {}, {}, std::nullopt, std::move(refusal)};
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
Answer judge_jwt(const JwtPolicy& jwt, std::string_view token, const HttpRequest& request) {
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
          kVouchedByToken};
}

Answer judge(db::Pool& pool, const JwtPolicy& jwt, const HttpRequest& request) {
  const auto key = credential(request);
  if (!key) return {Verdict::invalid, {}};
  if (key->empty()) return {Verdict::missing, {}};
  if (key->size() > kMaxCredential) {
    return refused(Verdict::invalid,
                   unauthenticated("credential_too_long",
                                   fmt::format("The credential has {} bytes; it may have {}.",
                                               key->size(), kMaxCredential)));
  }
  if (is_jwt(*key)) return judge_jwt(jwt, *key, request);
  try {
    const Sha256 hash = sha256(*key);
    auto identity =
        read_from(pool, [&](auto& connection) { return db::authenticate(connection, hash); });
    if (!identity) return {Verdict::invalid, {}};
    if (!request.tenant.empty() && request.tenant != identity->tenant)
      return {Verdict::forbidden, {}};
    Answer answer{Verdict::ok, std::move(*identity)};
    if (key->starts_with(kSandboxKeyPrefix)) answer.sandbox = '1';
    answer.source = kVouchedByKey;
    answer.key = hash;
    return answer;
  } catch (const std::exception& error) {
    log_cannot_judge(error.what());
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
Result<Caller> admitted(const HttpRequest& question, const Answer& answer,
                        OperatorSources operators) {
  if (answer.refusal) return *answer.refusal;
  HttpRequest request;
  request.tenant = question.tenant;
  request.verdict = answer.verdict;
  request.role = answer.identity.role;
  request.key_tenant = answer.identity.tenant;
  request.sandbox = answer.sandbox;
  request.operator_vouched = answer.source;
  operators.header = false;  // a key or a token is not nginx's own word
  return admit(request, access_of(question), {.operators = operators});
}

// A key is of the cell that has it. One that does not know its own name cannot say so, and nginx
// would take the key for one of the first cell's.
Answer nameless(const HttpRequest& request) {
  log::error("cell without a label nginx=\"{}\"", log_safe(request.cell));
  return refused(Verdict::unavailable,
                 unavailable("cell_mismatch",
                             "The cells are not set up as they should be: this "
                             "one has no label (the setting cell)."));
}

// Tells nginx the present cell of the caller's tenant. Of a token that is known only when the
// tenant has moved: which cell it was made in, no token says. False: the tenant is about to leave,
// or to come back, or nobody can say where it is, and whoever asks this cell is told so.
bool name_cell(HttpResponse& response, Placements& placements, const Answer& answer) {
  if (answer.identity.tenant.empty()) return true;
  std::optional<db::Placement> place;
  bool known = true;
  try {
    place = placements.of(answer.identity.tenant);
  } catch (const std::exception&) {
    known = false;
  }
  const bool elsewhere = place && place->is_elsewhere();
  const std::string& cell = elsewhere ? place->cell : placements.cell();
  if (!cell.empty() && (elsewhere || answer.key)) response.header("Postern-Cell", cell);
  if (elsewhere && answer.key) response.header("Postern-Key", to_hex(*answer.key));
  return known && (!place || place->state == db::TenantState::moved);
}

}  // namespace

void log_cannot_judge(std::string_view what) {
  static std::mutex mutex;
  static LogThrottle throttle;
  const std::scoped_lock lock(mutex);
  if (const auto more = throttle.pass()) {
    log::warn("authenticator failed more={} error=\"{}\"", *more,
              log_safe(what.substr(0, what.find('\n'))));
  }
}

HttpResponse authenticate(db::Pool& pool, const JwtPolicy& jwt, Placements& placements,
                          const HttpRequest& request, const AdmissionRules& rules) {
  if (!rules.require_identity) return {204, {}, {}};
  Answer answer = judge(pool, jwt, request);
  if (answer.key && placements.cell().empty() && !request.cell.empty()) answer = nameless(request);
  const Result<Caller> caller = admitted(request, answer, rules.operators);
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
  if (caller && caller->role == Role::site_operator) {
    response.header("Postern-Operator", std::string(answer.source));
  }
  const bool settled = !caller || name_cell(response, placements, answer);
  response.header("X-Accel-Expires", answer.verdict == Verdict::unavailable ? "0"
                                     : settled                              ? kKeepSeconds
                                                                            : kKeepSecondsLeaving);
  return response;
}

}  // namespace postern
