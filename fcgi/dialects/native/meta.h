// The native dialect's paths about the server itself. No rules.
#pragma once

#include <vector>

#include "core/model/retry_policy.h"
#include "fcgi/dialects/table.h"

namespace postern::native_meta {

// Who asks, as far as anybody knows.
Result<HttpResponse> whoami(const Call& call);
Result<HttpResponse> info(const Call& call);
// The description of what this mount speaks; native, where it speaks all.
Result<HttpResponse> openapi(const Call& call);
Result<HttpResponse> retry_policies(const Call& call);
HttpResponse policies_response(const std::vector<RetryPolicy::Named>& policies);
Result<HttpResponse> stats(const Call& call);
Result<HttpResponse> metrics(const Call& call);
Result<HttpResponse> healthz(const Call& call);
Result<HttpResponse> readyz(const Call& call);

}  // namespace postern::native_meta
