#include "scheduler/delivery/lanes.h"

#include <gtest/gtest.h>

#include <map>

namespace postern::scheduler {
namespace {

using Lanes = std::vector<std::int64_t>;
using Shares = std::map<std::int64_t, int>;

KnownLanes::Room kAnyRoom(std::int64_t) { return {0, 1'000}; }

Shares shares(KnownLanes& lanes, int free) {
  Shares out;
  for (const auto& [lane, slots] : lanes.share(free, kAnyRoom)) out[lane] = slots;
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
  EXPECT_TRUE(lanes.share(5, kAnyRoom).empty());
  lanes.add(Lanes{1});
  EXPECT_TRUE(lanes.share(0, kAnyRoom).empty());
  EXPECT_TRUE(lanes.share(-3, kAnyRoom).empty());
}

TEST(KnownLanes, ForgetsALaneThatHadLessThanAskedFor) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2});
  const auto asked = lanes.share(8, kAnyRoom);
  lanes.claimed(asked, tasks_of(2, 4));
  EXPECT_EQ(shares(lanes, 8), (Shares{{2, 8}}));
  lanes.claimed(std::vector<db::LaneSlots>{{2, 8}}, tasks_of(2, 7));
  EXPECT_TRUE(lanes.empty());
}

TEST(KnownLanes, KeepsALaneThatWasAddedWhileItWasClaimedFrom) {
  KnownLanes lanes;
  lanes.add(Lanes{1});
  const auto asked = lanes.share(8, kAnyRoom);
  lanes.add(Lanes{1});
  lanes.claimed(asked, {});
  EXPECT_EQ(lanes.size(), 1u);
  lanes.claimed(lanes.share(8, kAnyRoom), {});
  EXPECT_TRUE(lanes.empty());
}

TEST(KnownLanes, CountsWhatALaneHoldsAlready) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2, 3});
  const auto room_of = [](std::int64_t lane) { return KnownLanes::Room{lane == 1 ? 6 : 0, 100}; };
  std::map<std::int64_t, int> got;
  for (const auto& [lane, slots] : lanes.share(8, room_of)) got[lane] = slots;
  EXPECT_EQ(got, (Shares{{2, 4}, {3, 4}}));
  got.clear();
  for (const auto& [lane, slots] : lanes.share(15, room_of)) got[lane] = slots;
  EXPECT_EQ(got, (Shares{{1, 1}, {2, 7}, {3, 7}}));
}

TEST(KnownLanes, GivesNoLaneMoreThanItsAllowance) {
  KnownLanes lanes;
  lanes.add(Lanes{1, 2});
  const auto room_of = [](std::int64_t lane) { return KnownLanes::Room{0, lane == 1 ? 2 : 100}; };
  std::map<std::int64_t, int> got;
  for (const auto& [lane, slots] : lanes.share(20, room_of)) got[lane] = slots;
  EXPECT_EQ(got, (Shares{{1, 2}, {2, 18}}));
}

TEST(KnownLanes, HeldOnesComeBackWhenTheirTimeHasCome) {
  const Monotonic start{};
  KnownLanes lanes;
  lanes.hold(std::vector<db::HeldLane>{{1, Milliseconds{20}, false}, {2, Milliseconds{50}, true}},
             start);
  EXPECT_EQ(lanes.release_at(), start + Milliseconds{20});
  lanes.release(start + Milliseconds{19});
  EXPECT_TRUE(lanes.empty());
  lanes.release(start + Milliseconds{20});
  EXPECT_EQ(shares(lanes, 4), (Shares{{1, 4}}));
  EXPECT_EQ(lanes.release_at(), start + Milliseconds{50});
}

TEST(KnownLanes, AFreedPlaceBringsBackThoseThatWaitForOne) {
  const Monotonic start{};
  KnownLanes lanes;
  lanes.hold(std::vector<db::HeldLane>{{1, Milliseconds{20}, false}, {2, Milliseconds{50}, true}},
             start);
  lanes.place_freed();
  lanes.release(start + Milliseconds{1});
  EXPECT_EQ(shares(lanes, 4), (Shares{{2, 4}}));
}

TEST(KnownLanes, ParksWhatHasNoAllowance) {
  const Monotonic start{};
  KnownLanes lanes;
  lanes.add(Lanes{1, 2, 3});
  const auto room_of = [](std::int64_t lane) { return KnownLanes::Room{0, lane == 3 ? 5 : 0}; };
  const auto retry_at = [&](std::int64_t lane) -> std::optional<Monotonic> {
    if (lane == 1) return start + Milliseconds{30};
    return std::nullopt;  // waits for a result
  };
  lanes.park(room_of, retry_at, start);
  EXPECT_EQ(lanes.size(), 1U);
  EXPECT_EQ(lanes.release_at(), start + Milliseconds{30});
  lanes.place_freed();
  lanes.release(start + Milliseconds{1});
  EXPECT_EQ(lanes.size(), 2U);
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
