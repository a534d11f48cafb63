// The native dialect about endpoints: its handlers, which parse, ask the EndpointsApi, and render.
#pragma once

#include "fcgi/dialects/table.h"

namespace postern::native_endpoints {

Result<HttpResponse> create(const Call& call);
Result<HttpResponse> list(const Call& call);
Result<HttpResponse> get(const Call& call);
Result<HttpResponse> put(const Call& call);
Result<HttpResponse> change(const Call& call);
Result<HttpResponse> remove(const Call& call);
Result<HttpResponse> rotate(const Call& call);
Result<HttpResponse> pause(const Call& call);
Result<HttpResponse> resume(const Call& call);
Result<HttpResponse> recover(const Call& call);
void test(const Call& call, Finish finish);

}  // namespace postern::native_endpoints
