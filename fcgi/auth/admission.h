// Who may come in, and as whom: what nginx's authenticator said about a credential, against what a
// route asks.
#pragma once

#include "core/base/error.h"
#include "fcgi/auth/caller.h"
#include "fcgi/server/http.h"

namespace postern {

// What a route asks of its caller. `open` asks for no identity at all. `create` is a `write` that
// only makes tasks, which a sandbox key may do, too: what is there already may be live, and could
// be delivered, changed or lost.
enum class Access { open, read, retry, create, write };

// Whether nginx vouches for the caller, and the role allows it. Without `require_identity` whoever
// comes is an admin. Errors: `unauthenticated`, `forbidden`, and `unavailable` when the
// authenticator could not tell.
Result<Caller> admit(const HttpRequest& request, Access access, bool require_identity);

}  // namespace postern
