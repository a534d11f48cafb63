// Answers nginx's auth_request: whose credential is this?
#pragma once

#include "db/pg/pool.h"
#include "fcgi/auth/jwt_keys.h"
#include "fcgi/server/http.h"

namespace postern {

// Always 204, with the verdict in headers (Postern-Verdict, -Identity, -Role, -Tenant), because
// nginx would turn other statuses into a 500 for the client. X-Accel-Expires says how long nginx
// may keep the answer. A credential with two points in it is a JSON Web Token: `sub` is the
// identity, `role` the role, `tenant` the tenant (that of the vhost, else "default", when it names
// none). Never throws.
HttpResponse authenticate(db::Pool& pool, const JwtKeys& jwt, const HttpRequest& request);

}  // namespace postern
