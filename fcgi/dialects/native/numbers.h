// The native dialect's paths about what happened: series by minute, and failures in groups. No
// rules.
#pragma once

#include "fcgi/dialects/table.h"

namespace postern::native_numbers {

Result<HttpResponse> series(const Call& call);
Result<HttpResponse> failures(const Call& call);

}  // namespace postern::native_numbers
