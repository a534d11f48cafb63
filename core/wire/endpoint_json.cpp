#include "core/wire/endpoint_json.h"

#include "core/wire/values.h"

namespace postern::wire {
namespace {

using Out = JsonWriter;

constexpr Field<Endpoint> kEndpointFields[] = {
    {.name = endpoint_field::kName,
     .write = [](Out& out, const Endpoint& e) { out.string(e.name); }},
    {.name = endpoint_field::kUrl, .write = [](Out& out, const Endpoint& e) { out.string(e.url); }},
    {.name = endpoint_field::kMethod,
     .write = [](Out& out, const Endpoint& e) { out.string(e.method); }},
    {.name = endpoint_field::kHeaders,
     .write = [](Out& out, const Endpoint& e) { write_headers(out, e.headers); },
     .present = [](const Endpoint& e) { return !e.headers.empty(); }},
    {.name = endpoint_field::kTimeout,
     .write = [](Out& out, const Endpoint& e) { write_seconds(out, *e.timeout); },
     .present = [](const Endpoint& e) { return e.timeout.has_value(); },
     .unit = Unit::seconds},
    {.name = endpoint_field::kMaxInFlight,
     .write = [](Out& out, const Endpoint& e) { out.number(*e.max_in_flight); },
     .present = [](const Endpoint& e) { return e.max_in_flight.has_value(); }},
    {.name = endpoint_field::kRateLimit,
     .write = [](Out& out, const Endpoint& e) { write_rate_limit(out, *e.rate_limit); },
     .present = [](const Endpoint& e) { return e.rate_limit.has_value(); }},
    {.name = endpoint_field::kPaused,
     .write = [](Out& out, const Endpoint& e) { out.boolean(e.paused); }},
    {.name = endpoint_field::kOwnSecret,
     .write = [](Out& out, const Endpoint& e) { out.boolean(e.own_secret); }},
    {.name = endpoint_field::kPreviousSecretUntil,
     .write = [](Out& out, const Endpoint& e) { write_time(out, *e.previous_until); },
     .present = [](const Endpoint& e) { return e.previous_until.has_value(); }},
    {.name = endpoint_field::kCreatedAt,
     .write = [](Out& out, const Endpoint& e) { write_time(out, e.created_at); }},
    {.name = endpoint_field::kUpdatedAt,
     .write = [](Out& out, const Endpoint& e) { write_time(out, e.updated_at); }},
};

constexpr Field<HealthReport> kHealthFields[] = {
    {.name = "success_rate",
     .write =
         [](Out& out, const HealthReport& h) {
           h.success_rate ? out.number(*h.success_rate) : out.null();
         }},
    {.name = "p95_ms",
     .write =
         [](Out& out, const HealthReport& h) {
           h.p95 ? out.number(std::int64_t{h.p95->count()}) : out.null();
         },
     .unit = Unit::milliseconds},
    {.name = "attempts", .write = [](Out& out, const HealthReport& h) { out.number(h.attempts); }},
    {.name = "window_seconds",
     .write = [](Out& out, const HealthReport& h) { out.number(std::int64_t{h.window.count()}); },
     .unit = Unit::seconds},
    {.name = "in_flight",
     .write = [](Out& out, const HealthReport& h) { out.number(h.in_flight); }},
    {.name = "breaker", .write = [](Out& out, const HealthReport& h) { out.string(h.breaker); }},
};

}  // namespace

Fields<Endpoint> endpoint_fields() { return kEndpointFields; }

Fields<HealthReport> health_fields() { return kHealthFields; }

}  // namespace postern::wire
