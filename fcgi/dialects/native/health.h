// GET /v1/health. No rules.
#pragma once

#include "fcgi/dialects/table.h"

namespace postern::db {
struct SchedulerNumbers;
}

namespace postern::native_meta {

Result<HttpResponse> health(const Call& call);

// As /v1/stats has it, too.
void write_scheduler(JsonWriter& out, const db::SchedulerNumbers& scheduler);

}  // namespace postern::native_meta
