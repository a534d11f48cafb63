// Who may come in, and as whom: what nginx's authenticator said about a credential, against what a
// route asks.
#pragma once

#include <string_view>

#include "core/base/error.h"
#include "fcgi/auth/caller.h"
#include "fcgi/server/http.h"

namespace postern {

// What a route asks of its caller. `open` asks for no identity at all, `who` takes a caller without
// a credential for nobody, and refuses one whose credential does not hold. `create` is a `write`
// that only makes tasks, which a sandbox key may do, too: what is there already may be live, and
// could be delivered, changed or lost. `admin` reads what only admins may see, `operate` is for
// what concerns all tenants: neither is open to sandbox keys.
enum class Access { open, who, read, retry, create, write, admin, operate };

// Who may be an operator: whose word for that role is taken.
struct OperatorSources {
  bool key = true;      // an API key that was made as one on the host
  bool token = false;   // the claim `role` of a JSON Web Token
  bool header = false;  // nginx itself: its maps of keys and certificates, or an external sign-on
};

// What HttpRequest::operator_vouched says of the first two. Whether they count is asked anew by
// each handler: another cell's authenticator may have other settings.
inline constexpr char kVouchedByKey[] = "key";
inline constexpr char kVouchedByToken[] = "token";

struct AdmissionRules {
  bool require_identity = true;  // false: whoever comes is an admin, and nobody an operator
  OperatorSources operators = {};
};

// "admin"; empty for nobody.
std::string_view name(Role role);

// Whether nginx vouches for the caller, and the role allows it. The role `operator` is taken only
// when our authenticator vouches for it (HttpRequest::operator_vouched), or nginx's own word counts
// (OperatorSources::header). Errors: `unauthenticated`, `forbidden`, and `unavailable` when the
// authenticator could not tell.
Result<Caller> admit(const HttpRequest& request, Access access, const AdmissionRules& rules);

}  // namespace postern
