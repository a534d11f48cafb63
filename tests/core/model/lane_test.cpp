#include "core/model/lane.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(LaneTarget, IsTheHostOfTheUrlOrTheEndpoint) {
  TaskSpec task;
  const std::pair<const char*, const char*> table[] = {
      {"http://example.com/", "example.com"},
      {"https://example.com:8443/a?b=http://c/", "example.com:8443"},
      {"http://[::1]:80/x", "[::1]:80"},
  };
  for (const auto& [url, target] : table) {
    task.url = url;
    EXPECT_EQ(lane_target(task), target);
  }
  task.endpoint = "mailer";
  EXPECT_EQ(lane_target(task), "endpoint:mailer");
}

TEST(LaneId, TellsEachTripleApart) {
  const std::set<std::int64_t> ids = {lane_id("a", "b", "c"), lane_id("ab", "", "c"),
                                      lane_id("", "ab", "c"), lane_id("a", "bc", ""),
                                      lane_id("a", "b", "d"), lane_id("b", "a", "c")};
  EXPECT_EQ(ids.size(), 6u);
}

TEST(LaneId, StandsWithThoseOfItsTenant) {
  const auto lane = lane_id("acme", "q", "a.test"), other = lane_id("acme", "r", "b.test");
  EXPECT_EQ(lane_tenant(lane), lane_tenant(other));
  EXPECT_NE(lane_tenant(lane), lane_tenant(lane_id("zeta", "q", "a.test")));
  EXPECT_EQ(lane_tenant(last_lane_of_tenant(lane)), lane_tenant(lane));
  EXPECT_NE(lane_tenant(last_lane_of_tenant(lane) + 1), lane_tenant(lane));
  EXPECT_GE(last_lane_of_tenant(lane), std::max(lane, other));
}

// Existing databases contain these numbers: a change would separate waiting tasks from their lanes.
TEST(LaneId, StaysTheSameForever) {
  EXPECT_EQ(lane_id("default", "email", "example.com"), 4'010'717'906'448'362'962);
}

TEST(HostOf, HasNothingElseOfAUrl) {
  EXPECT_EQ(host_of("https://hooks.example/secret/path?token=x"), "hooks.example");
  EXPECT_EQ(host_of("http://[2001:db8::1]:8080/"), "[2001:db8::1]:8080");
  EXPECT_EQ(host_of("http://user:pass@word@host?token=x"), "host");
  EXPECT_EQ(host_of("http://host#token"), "host");
  EXPECT_EQ(host_of("odd"), "");
  EXPECT_EQ(host_of(""), "");
}

}  // namespace
}  // namespace postern
