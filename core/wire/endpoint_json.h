// An endpoint on the native wire. A limit that is not set is left out.
#pragma once

#include <string_view>

#include "core/model/endpoint.h"
#include "core/wire/fields.h"

namespace postern::wire {

namespace endpoint_field {
inline constexpr std::string_view kName = "name";
inline constexpr std::string_view kUrl = "url";
inline constexpr std::string_view kMethod = "method";
inline constexpr std::string_view kHeaders = "headers";
inline constexpr std::string_view kTimeout = "timeout_seconds";
inline constexpr std::string_view kMaxInFlight = "max_in_flight";
inline constexpr std::string_view kRateLimit = "rate_limit";
inline constexpr std::string_view kPaused = "paused";
inline constexpr std::string_view kOwnSecret = "own_secret";
inline constexpr std::string_view kPreviousSecretUntil = "previous_secret_until";
inline constexpr std::string_view kCreatedAt = "created_at";
inline constexpr std::string_view kUpdatedAt = "updated_at";
// In some answers only: not fields of every endpoint.
inline constexpr std::string_view kSecret = "secret";
inline constexpr std::string_view kHealth = "health";
}  // namespace endpoint_field

Fields<Endpoint> endpoint_fields();

// What endpoint_field::kHealth consists of.
Fields<HealthReport> health_fields();

}  // namespace postern::wire
