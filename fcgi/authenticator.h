// Answers nginx's auth_request: whose credential is this?
#pragma once

#include "db/pool.h"
#include "fcgi/http.h"

namespace postern {

// Always 204, with the verdict in headers (Postern-Verdict, -Identity, -Role, -Tenant), because
// nginx would turn other statuses into a 500 for the client. X-Accel-Expires says how long nginx
// may keep the answer. Never throws.
HttpResponse authenticate(db::Pool& pool, const HttpRequest& request);

}  // namespace postern
