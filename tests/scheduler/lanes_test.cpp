#include "scheduler/lanes.h"

#include <gtest/gtest.h>

#include <map>

namespace postern::scheduler {
namespace {

using Lanes = std::vector<std::int64_t>;
using Shares = std::map<std::int64_t, int>;

Shares shares(KnownLanes& lanes, int free) {
  Shares out;
  for (const auto& [lane, slots] : lanes.share(free)) out[lane] = slots;
  return out;
}

std::vector<db::Claimed> tasks_of(std::int64_t lane, int count) {
  std::vector<db::Claimed> tasks(static_cast<std::size_t>(count));
  for (auto& task : tasks) task.lane = lane;
  return tasks;
}

TEST(KnownLanes, GivesOneLaneAllSlots) {
  KnownLanes lanes;
  lanes.add(Lanes{7});
  EXPECT_EQ(shares(lanes, 256), (Shares{{7, 256}}));
}

TEST(KnownLanes, SharesEvenlyAndLetsTheRestGoRound) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2, 3});
  EXPECT_EQ(shares(lanes, 9), (Shares{{1, 3}, {2, 3}, {3, 3}}));
  EXPECT_EQ(shares(lanes, 10), (Shares{{1, 4}, {2, 3}, {3, 3}}));
  EXPECT_EQ(shares(lanes, 10), (Shares{{1, 3}, {2, 4}, {3, 3}}));
  EXPECT_EQ(shares(lanes, 11), (Shares{{1, 4}, {2, 3}, {3, 4}}));
}

TEST(KnownLanes, TakesTurnsWhenThereAreMoreLanesThanSlots) {
  KnownLanes lanes;
  lanes.add(Lanes{-5, 1, 2, 3, 4});
  Shares served;
  for (int i = 0; i < 10; ++i) {
    for (const auto& [lane, slots] : shares(lanes, 2)) served[lane] += slots;
  }
  EXPECT_EQ(served, (Shares{{-5, 4}, {1, 4}, {2, 4}, {3, 4}, {4, 4}}));
}

TEST(KnownLanes, HasNothingToShareWithoutLanesOrSlots) {
  KnownLanes lanes;
  EXPECT_TRUE(lanes.share(5).empty());
  lanes.add(Lanes{1});
  EXPECT_TRUE(lanes.share(0).empty());
  EXPECT_TRUE(lanes.share(-3).empty());
}

TEST(KnownLanes, ForgetsALaneThatHadLessThanAskedFor) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2});
  const auto asked = lanes.share(8);
  lanes.claimed(asked, tasks_of(2, 4));
  EXPECT_EQ(shares(lanes, 8), (Shares{{2, 8}}));
  lanes.claimed(std::vector<db::LaneSlots>{{2, 8}}, tasks_of(2, 7));
  EXPECT_TRUE(lanes.empty());
}

TEST(KnownLanes, KeepsALaneThatWasAddedWhileItWasClaimedFrom) {
  KnownLanes lanes;
  lanes.add(Lanes{1});
  const auto asked = lanes.share(8);
  lanes.add(Lanes{1});
  lanes.claimed(asked, {});
  EXPECT_EQ(lanes.size(), 1u);
  lanes.claimed(lanes.share(8), {});
  EXPECT_TRUE(lanes.empty());
}

TEST(ParseLanes, ReadsIdsOrNothing) {
  EXPECT_EQ(parse_lanes("1,-2,9223372036854775807"), (Lanes{1, -2, INT64_MAX}));
  EXPECT_EQ(parse_lanes("5"), (Lanes{5}));
  for (const char* payload : {"", "x", "1;2", "1,x", "1, 2", "99999999999999999999"}) {
    EXPECT_EQ(parse_lanes(payload), Lanes{}) << payload;
  }
}

}  // namespace
}  // namespace postern::scheduler
