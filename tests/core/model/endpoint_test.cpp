#include "core/model/endpoint.h"

#include <gtest/gtest.h>

#include "core/security/signing.h"
#include "tests/core/result_text.h"

namespace postern {
namespace {

TEST(EndpointName, TakesNamesAndBothSpellingsOfTheCatchAll) {
  const std::string longest(128, 'x');
  const struct {
    std::string_view spelled, outcome, name;
  } cases[] = {
      {"", "ok", ""},
      {"*", "ok", ""},
      {"Mail:bulk_2-a", "ok", "Mail:bulk_2-a"},
      {longest, "ok", longest},
      {"**", "endpoint_name_invalid f", ""},
      {"a*", "endpoint_name_invalid f", ""},
      {"a.b", "endpoint_name_invalid f", ""},
      {" ", "endpoint_name_invalid f", ""},
      {"\xC3\xA4", "endpoint_name_invalid f", ""},
      {std::string_view("\0", 1), "endpoint_name_invalid f", ""},
  };
  for (const auto& each : cases) {
    const auto name = endpoint_name(each.spelled, "f");
    EXPECT_EQ(outcome(name), each.outcome) << each.spelled;
    if (name) {
      EXPECT_EQ(*name, each.name);
    }
  }
  EXPECT_FALSE(endpoint_name(longest + "x", "f"));
  EXPECT_EQ(endpoint_path_name(""), "*");
  EXPECT_EQ(endpoint_path_name("a"), "a");
}

TEST(CheckEndpoint, KeepsTheLimits) {
  using Change = void (*)(EndpointSettings&);
  const std::pair<Change, std::string_view> cases[] = {
      {[](EndpointSettings&) {}, "ok"},
      {[](EndpointSettings& s) { s.url = "https://a.test"; }, "ok"},
      {[](EndpointSettings& s) { s.url = "a.test"; }, "url_invalid url"},
      {[](EndpointSettings& s) { s.method = "DELETE"; }, "ok"},
      {[](EndpointSettings& s) { s.method = "HEAD"; }, "method_invalid method"},
      {[](EndpointSettings& s) { s.headers = Headers{}; }, "ok"},
      {[](EndpointSettings& s) {
         s.headers = Headers{{"Host", "a"}};
       },
       "header_reserved headers.Host"},
      {[](EndpointSettings& s) { s.timeout.emplace(); }, "ok"},
      {[](EndpointSettings& s) { s.timeout = Milliseconds{1'000}; }, "ok"},
      {[](EndpointSettings& s) { s.timeout = Milliseconds{999}; },
       "timeout_out_of_range timeout_seconds"},
      {[](EndpointSettings& s) { s.max_in_flight.emplace(); }, "ok"},
      {[](EndpointSettings& s) { s.max_in_flight = 1; }, "ok"},
      {[](EndpointSettings& s) { s.max_in_flight = 100'000; }, "ok"},
      {[](EndpointSettings& s) { s.max_in_flight = 0; },
       "max_in_flight_out_of_range max_in_flight"},
      {[](EndpointSettings& s) { s.max_in_flight = 100'001; },
       "max_in_flight_out_of_range max_in_flight"},
      {[](EndpointSettings& s) { s.rate_limit.emplace(); }, "ok"},
      {[](EndpointSettings& s) {
         s.rate_limit = RateLimit{1, Seconds{1}, {}};
       },
       "ok"},
      {[](EndpointSettings& s) {
         s.rate_limit = RateLimit{1'000'000, Seconds{86'400}, 1'000'000};
       },
       "ok"},
      {[](EndpointSettings& s) {
         s.rate_limit = RateLimit{0, Seconds{1}, {}};
       },
       "rate_limit_out_of_range rate_limit.count"},
      {[](EndpointSettings& s) {
         s.rate_limit = RateLimit{1, Seconds{86'401}, {}};
       },
       "rate_limit_out_of_range rate_limit.period_seconds"},
      {[](EndpointSettings& s) {
         s.rate_limit = RateLimit{1, Seconds{1}, 0};
       },
       "rate_limit_out_of_range rate_limit.burst"},
      {[](EndpointSettings& s) { s.secret = ""; }, "ok"},
      {[](EndpointSettings& s) { s.secret = make_webhook_secret(); }, "ok"},
      {[](EndpointSettings& s) { s.secret = "whsec_AAAA"; }, "secret_invalid secret"},
  };
  int n = 0;
  for (const auto& [change, expected] : cases) {
    EndpointSettings settings;
    change(settings);
    EXPECT_EQ(outcome(check_endpoint(settings)), expected) << "case " << n;
    ++n;
  }
}

}  // namespace
}  // namespace postern
