// The native dialect's paths of tenants: parse, one use-case, render. No rules.
#pragma once

#include "fcgi/dialects/table.h"

namespace postern::native_tenants {

Result<HttpResponse> list(const Call& call);
Result<HttpResponse> create(const Call& call);

}  // namespace postern::native_tenants
