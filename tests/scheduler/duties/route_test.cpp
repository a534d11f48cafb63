#include "scheduler/duties/route.h"

#include <gtest/gtest.h>

#include "core/model/lane.h"

namespace postern::scheduler {
namespace {

Task task_from_sql() {
  Task task;
  task.spec.tenant = "default";
  task.spec.queue = "mail";
  task.spec.url = "HTTPS://Example.com:443";
  return task;
}

TEST(RoutingOf, SendsATaskToItsLane) {
  const auto task = task_from_sql();
  const auto routing = routing_of(task);
  EXPECT_EQ(routing.invalid, "");
  EXPECT_EQ(routing.id, task.spec.id);
  EXPECT_EQ(routing.tenant, "default");
  EXPECT_EQ(routing.queue, "mail");
  EXPECT_EQ(routing.url, "https://example.com/");
  EXPECT_EQ(routing.lane, lane_id("default", "mail", "example.com"));
}

TEST(RoutingOf, RefusesWhatSqlCouldNotCheck) {
  const struct {
    const char* what;
    void (*spoil)(TaskSpec&);
  } cases[] = {
      {"URL", [](TaskSpec& spec) { spec.url = "http://0x7f.1/"; }},
      {"header",
       [](TaskSpec& spec) {
         spec.headers = {{"Host", "x"}};
       }},
      {"retry policy", [](TaskSpec& spec) { spec.retry_policy = "weekly"; }},
      {"content type", [](TaskSpec& spec) { spec.content_type = "a\nb"; }},
      {"tag", [](TaskSpec& spec) { spec.tags = {""}; }},
      {"queue", [](TaskSpec& spec) { spec.queue = "aq_test"; }},
      {"tags", [](TaskSpec& spec) { spec.tags.assign(17, "t"); }},
  };
  for (const auto& [what, spoil] : cases) {
    auto task = task_from_sql();
    spoil(task.spec);
    EXPECT_NE(routing_of(task).invalid, "") << what;
  }
}

}  // namespace
}  // namespace postern::scheduler
