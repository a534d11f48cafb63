#include "core/wire/scheduler_gauges.h"

#include <gtest/gtest.h>

#include <limits>

namespace postern {
namespace {

TEST(SchedulerGauges, AreReadAsTheyWereWritten) {
  SchedulerGauges written{256, 9, 3, 2, 1, {25, 6443}, "b", {}};
  written.lanes = {{std::numeric_limits<std::int64_t>::min(), "open"}, {7, "throttled"}};
  const auto read = scheduler_gauges_from(to_json(written));
  EXPECT_EQ(read.slots, 256);
  EXPECT_EQ(read.in_flight, 9);
  EXPECT_EQ(read.parked, 3);
  EXPECT_EQ(read.unsettled, 2);
  EXPECT_EQ(read.egress_denied, 1);
  EXPECT_EQ(read.egress_ports_allow, (std::vector{25, 6443}));
  EXPECT_EQ(read.cell, "b");
  ASSERT_EQ(read.lanes.size(), 2U);
  EXPECT_EQ(read.lanes[0].lane, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(read.lanes[0].state, "open");
  EXPECT_EQ(read.lanes[1].lane, 7);
  EXPECT_EQ(read.lanes[1].state, "throttled");
}

TEST(SchedulerGauges, WhatIsMissingOrOddCountsAsNothing) {
  for (const char* json :
       {"", "{}", "[]", "7", "{\"slots\":\"8\"}", "{\"cell\":7}", "{\"lanes\":7}",
        "{\"lanes\":[1,{\"lane\":2},{\"lane\":\"3\",\"state\":\"open\"}]}"}) {
    const auto read = scheduler_gauges_from(json);
    EXPECT_EQ(read.slots, 0) << json;
    EXPECT_EQ(read.cell, "") << json;
    EXPECT_TRUE(read.lanes.empty()) << json;
  }
}

}  // namespace
}  // namespace postern
