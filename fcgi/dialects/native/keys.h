// The native dialect's paths of keys: parse, one use-case, render. No rules.
#pragma once

#include "fcgi/dialects/table.h"

namespace postern::native_keys {

Result<HttpResponse> list(const Call& call);
Result<HttpResponse> create(const Call& call);
Result<HttpResponse> revoke(const Call& call);

}  // namespace postern::native_keys
