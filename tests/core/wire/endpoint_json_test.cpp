#include "core/wire/endpoint_json.h"

#include <gtest/gtest.h>

#include "tests/core/wire/names.h"

namespace postern {
namespace {

Time at(const char* text) { return parse_rfc3339(text).value(); }

template <class T>
std::string json_of(wire::Fields<T> fields, const T& object) {
  JsonWriter out;
  wire::write_object(out, fields, object);
  return out.take();
}

TEST(EndpointJson, NamesEachFieldOnce) {
  expect_a_proper_table(wire::endpoint_fields());
  expect_a_proper_table(wire::health_fields());
}

TEST(EndpointJson, LeavesOutWhatIsNotSet) {
  EXPECT_EQ(json_of(wire::endpoint_fields(), Endpoint{}),
            R"({"name":"","url":"","method":"","paused":false,"own_secret":false,)"
            R"("created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:00Z"})");
}

TEST(EndpointJson, WritesEveryField) {
  Endpoint endpoint;
  endpoint.name = "mail";
  endpoint.url = "https://a.test/";
  endpoint.method = "PUT";
  endpoint.headers = {{"X-A", "1"}};
  endpoint.timeout = Milliseconds{1500};
  endpoint.max_in_flight = 3;
  endpoint.rate_limit = RateLimit{5, Seconds{60}, std::nullopt};
  endpoint.paused = true;
  endpoint.own_secret = true;
  endpoint.previous_until = at("2026-01-03T00:00:00Z");
  endpoint.created_at = at("2026-01-01T00:00:00Z");
  endpoint.updated_at = at("2026-01-02T00:00:00Z");
  EXPECT_EQ(json_of(wire::endpoint_fields(), endpoint),
            R"({"name":"mail","url":"https://a.test/","method":"PUT","headers":{"X-A":"1"},)"
            R"("timeout_seconds":1.5,"max_in_flight":3,)"
            R"("rate_limit":{"count":5,"period_seconds":60},"paused":true,"own_secret":true,)"
            R"("previous_secret_until":"2026-01-03T00:00:00Z",)"
            R"("created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-02T00:00:00Z"})");
}

TEST(EndpointJson, WritesItsHealth) {
  Histogram durations{};
  EXPECT_EQ(json_of(wire::health_fields(), health_report(0, 0, durations, "closed")),
            R"({"success_rate":null,"p95_ms":null,"attempts":0,"window_seconds":3600,)"
            R"("in_flight":0,"breaker":"closed"})");
  durations[0] = 4;
  const auto report = health_report(4, 1, durations, "open");
  ASSERT_TRUE(report.p95);
  EXPECT_EQ(json_of(wire::health_fields(), report),
            R"({"success_rate":0.75,"p95_ms":)" + std::to_string(report.p95->count()) +
                R"(,"attempts":4,"window_seconds":3600,"in_flight":0,"breaker":"open"})");
}

}  // namespace
}  // namespace postern
