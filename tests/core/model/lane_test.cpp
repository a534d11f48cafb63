#include "core/model/lane.h"

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

// Existing databases contain these numbers: a change would separate waiting tasks from their lanes.
TEST(LaneId, StaysTheSameForever) {
  EXPECT_EQ(lane_id("default", "email", "example.com"), -5'016'063'650'383'319'598);
}

}  // namespace
}  // namespace postern
