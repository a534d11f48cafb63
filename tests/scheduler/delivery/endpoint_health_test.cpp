#include "scheduler/delivery/endpoint_health.h"

#include <gtest/gtest.h>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

const Time kMinute = Time{std::chrono::sys_days{std::chrono::year{2026} / 3 / 1}};

class HealthOfEndpoints : public ::testing::Test {
 protected:
  // An attempt that began at `start` within the minute and took `duration`; an empty status: none
  // was recorded.
  void attempt(std::optional<std::string> endpoint, const std::string& status, Seconds start,
               Milliseconds duration, const std::string& tenant = "default") {
    db::Claimed task;
    task.spec.tenant = tenant;
    task.resolved = std::move(endpoint);
    task.claimed_at = kMinute + start;
    auto end = db::settlement(task, State::completed);
    if (!status.empty()) {
      end.attempt.emplace();
      end.attempt->status = status;
    }
    health_.add(task, end, duration);
  }

  EndpointHealth health_;
};

TEST_F(HealthOfEndpoints, AddsUpByTenantEndpointAndMinute) {
  attempt("a", "success", 1s, 4ms);
  attempt("a", "failed", 2s, 20s);
  attempt("a", "", 3s, 4ms);         // deferred: its receiver has accepted it
  attempt("a", "success", 59s, 2s);  // ends in the next minute
  attempt("", "success", 1s, 4ms);   // the catch-all
  attempt("a", "failed", 1s, 4ms, "b");
  attempt(std::nullopt, "failed", 1s, 4ms);

  auto minutes = health_.take();
  ASSERT_EQ(minutes.size(), 7u);
  const auto find = [&](const std::string& tenant, const std::string& endpoint, Time minute) {
    for (const auto& each : minutes) {
      if (each.tenant == tenant && each.endpoint == endpoint && each.minute == minute) return each;
    }
    ADD_FAILURE() << tenant << " " << endpoint;
    return db::EndpointMinute{};
  };
  const auto a = find("default", "a", kMinute);
  EXPECT_EQ(a.attempts, 3);
  EXPECT_EQ(a.failed, 1);
  EXPECT_EQ(a.durations.front(), 2);
  EXPECT_EQ(a.durations.back(), 1);
  EXPECT_EQ(find("default", "a", kMinute + 1min).attempts, 1);
  EXPECT_EQ(find("default", "", kMinute).failed, 0);
  EXPECT_EQ(find("b", "a", kMinute).failed, 1);
  EXPECT_EQ(find("default", "/all", kMinute).attempts, 5)
      << "of the tenant, with or without an endpoint";
  EXPECT_EQ(find("default", "/all", kMinute).failed, 2);
  EXPECT_EQ(find("default", "/all", kMinute + 1min).attempts, 1);
  EXPECT_EQ(find("b", "/all", kMinute).attempts, 1);
  EXPECT_TRUE(health_.take().empty()) << "told once";
}

}  // namespace
}  // namespace postern::scheduler
