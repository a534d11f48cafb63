// The limits on what a task may ask for, the same for every dialect. Each check returns an error
// that names the field as the caller spelled it (`field`).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/error.h"
#include "core/time/time.h"

namespace postern {

constexpr Seconds kMaxDelay{10LL * 366 * 86'400};  // ten years
constexpr Milliseconds kMinTimeout{1'000};
constexpr Milliseconds kMaxTimeout{30LL * 60 * 1'000};  // half an hour
constexpr Seconds kMaxDefer{7LL * 86'400};              // a week
constexpr int kMaxRetries = 100;
constexpr std::size_t kMaxTags = 16;

// ^[a-zA-Z0-9_:-]{1,64}$, else "queue_name_invalid" ("queue_name_required" when empty).
Result<void> check_queue_name(std::string_view name, std::string_view field);
// Names of endpoints and types: ^[a-zA-Z0-9_:-]{1,128}$, else `reason`.
Result<void> check_name(std::string_view name, std::string_view field, std::string_view reason);
// 0..max, else "delay_out_of_range".
Result<void> check_delay(std::int64_t seconds, std::string_view field);
// An absolute start: at most ten years after `now`; the past is fine and means now.
Result<void> check_run_at(Time at, Time now, std::string_view field);
// 0..100, else "max_retries_out_of_range".
Result<void> check_max_retries(std::int64_t retries, std::string_view field);
// 1 s..30 min, else "timeout_out_of_range".
Result<void> check_timeout(Milliseconds timeout, std::string_view field);
// GET, POST, PUT, PATCH or DELETE, upper case, else "method_invalid".
Result<void> check_method(std::string_view method, std::string_view field);
// A media type in printable ASCII of at most 256 bytes, else "content_type_invalid".
Result<void> check_content_type(std::string_view type, std::string_view field);
// 1..64 printable ASCII bytes without comma, else "tag_invalid".
Result<void> check_tag(std::string_view tag, std::string_view field);
// 1..128 printable ASCII bytes without comma, else "idempotency_key_invalid". Newer versions of
// nginx join a header that was sent twice with a comma.
Result<void> check_idempotency_key(std::string_view key);
// True for a W3C traceparent of version 00. A bool and no error, because others are ignored.
bool is_traceparent(std::string_view text);
// An ordering key: 1..128 printable ASCII bytes, else "key_invalid".
Result<void> check_key(std::string_view key, std::string_view field);
// ^[a-z0-9][a-z0-9_-]{0,62}$, else "tenant_invalid".
Result<void> check_tenant(std::string_view name, std::string_view field);

}  // namespace postern
