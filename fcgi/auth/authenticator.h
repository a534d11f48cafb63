// Answers nginx's auth_request: whose credential is this?
#pragma once

#include <string_view>

#include "core/program/jwt_policy.h"
#include "db/pg/pool.h"
#include "fcgi/auth/admission.h"
#include "fcgi/auth/placements.h"
#include "fcgi/server/http.h"

namespace postern {

// 204 for a caller who is let in (on `who` also one without a credential), 401 or 403 for one who
// is not, 503 when nobody can tell, so that nginx refuses before it reads a body. The verdict
// stands in headers (Postern-Verdict, -Identity, -Role, -Tenant, -Sandbox, -Operator), and why it
// refuses in Postern-Reason and Postern-Message (a JSON string), in the words of `admit`, or of
// verify_jwt for a token. X-Accel-Expires says how long nginx may keep the answer. A credential
// with two points in it is a JSON Web Token: `sub` is the identity, `role` the role, `tenant` the
// tenant (that of the vhost, else "default", when it names none). It vouches for the role
// `operator` (Postern-Operator: key, or token) where `rules` count that source. Without
// `require_identity` everybody is let in, and nobody is told apart. Postern-Cell is the label of
// the cell where the caller's tenant is: of a key always (where the setting `cell` is made), of a
// token when it has moved; of a key that has moved Postern-Key is its SHA-256 in hex, by which that
// cell judges it again (KeyReview). Never throws.
HttpResponse authenticate(db::Pool& pool, const JwtPolicy& jwt, Placements& placements,
                          const HttpRequest& request, const AdmissionRules& rules = {});

// Logs that no credential can be judged, and why; not more often than every five seconds, since
// then every request fails. Any thread.
void log_cannot_judge(std::string_view what);

}  // namespace postern
