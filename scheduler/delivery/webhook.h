// The HTTP request that a claimed task stands for: URL, headers, signature, and the body in its
// dialect's form. Pure; everything is checked again here, whatever the row says.
#pragma once

#include <string_view>

#include "core/base/error.h"
#include "db/engine/claim.h"
#include "scheduler/http/client.h"

namespace postern::scheduler {

// `now` becomes the webhook-timestamp. Errors: invalid_argument when the task holds what may not be
// sent; not_found when it names an endpoint that is not there.
// `public_url`: where the API is reached, for receivers that tell the end later.
Result<OutgoingRequest> webhook(const db::Claimed& task, Time now, std::string_view public_url);

}  // namespace postern::scheduler
