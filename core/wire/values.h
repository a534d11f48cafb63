// Values that several objects of the native wire have in common. Each function writes one value,
// without its name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/headers.h"
#include "core/base/json_writer.h"
#include "core/model/rate_limit.h"
#include "core/time/time.h"

namespace postern::wire {

// RFC 3339, in whole seconds.
void write_time(JsonWriter& out, Time time);

// An integer when the seconds are whole. Other dialects may have set a fraction.
void write_seconds(JsonWriter& out, Milliseconds time);

// An object of strings.
void write_headers(JsonWriter& out, const Headers& headers);

// An array of strings.
void write_texts(JsonWriter& out, const std::vector<std::string>& texts);

// The name of a policy as a string; an inline policy as the object it is.
void write_retry_policy(JsonWriter& out, const std::string& policy);

// {"count","period_seconds","burst"?}
void write_rate_limit(JsonWriter& out, const RateLimit& limit);

}  // namespace postern::wire
