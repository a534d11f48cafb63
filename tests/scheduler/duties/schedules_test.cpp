#include "scheduler/duties/schedules.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "core/model/lane.h"
#include "core/wire/creation_json.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

Time at(const char* text) { return parse_rfc3339(text).value(); }

class PlanFiring : public ::testing::Test {
 protected:
  PlanFiring() {
    due_.tenant = "default";
    due_.queue = QueueDefaults{};
    Schedule& schedule = due_.schedule;
    schedule.name = "minutely";
    schedule.spec = "* * * * *";
    schedule.timezone = "UTC";
    schedule.task = creation_from_json(R"({"queue":"q","url":"https://a.test/","priority":50})");
    schedule.created_at = at("2026-01-01T00:00:00Z");
    schedule.updated_at = at("2026-01-01T01:00:00Z");
    schedule.next_at = at("2026-01-01T12:00:00Z");
  }

  db::Firing plan(const char* now, bool paused = false) {
    return plan_firing(due_, at(now), paused, [this] {
      TaskId id;
      id.bytes[15] = ++ids_;
      return id;
    });
  }

  // "12:00 fire 12:01 overlap -> 12:02 (last 12:01, missed 0)"
  std::string told(const char* now, bool paused = false) {
    const auto firing = plan(now, paused);
    const auto minute = [](std::optional<Time> time) {
      return time ? format_rfc3339(*time).substr(11, 5) : std::string("never");
    };
    std::string out;
    for (const auto& each : firing.occurrences) {
      out += minute(each.nominal) + " " + (each.task ? "fire" : each.skipped) + " ";
    }
    return out + fmt::format("-> {} (last {}, missed {})", minute(firing.next_at),
                             minute(firing.last_at), firing.missed);
  }

  db::DueSchedule due_;
  std::uint8_t ids_ = 0;
};

TEST_F(PlanFiring, OnTime) {
  EXPECT_EQ(told("2026-01-01T12:00:00.01Z"), "12:00 fire -> 12:01 (last 12:00, missed 0)");
}

TEST_F(PlanFiring, TheTaskIsTheQueuesAndTheSchedules) {
  due_.queue->max_retries = 7;
  due_.queue->bounded = true;
  const auto firing = plan("2026-01-01T12:00:00Z");
  ASSERT_EQ(firing.occurrences.size(), 1u);
  const auto& [nominal, task, lane, skipped] = firing.occurrences[0];
  EXPECT_EQ(task->spec.max_attempts, 8);
  EXPECT_EQ(task->spec.url, "https://a.test/");
  EXPECT_EQ(task->spec.tenant, "default");
  EXPECT_EQ(task->run_at, nominal);
  EXPECT_EQ(lane, lane_id("default", "q", "a.test"));
  EXPECT_TRUE(firing.queue_bounded);
  EXPECT_FALSE(firing.queue_missing);
  EXPECT_EQ(firing.read_next_at, at("2026-01-01T12:00:00Z"));
  EXPECT_EQ(firing.read_updated_at, due_.schedule.updated_at);
}

TEST_F(PlanFiring, LateOnesByTheMisfirePolicy) {
  due_.schedule.misfire.kind = Misfire::last;
  EXPECT_EQ(told("2026-01-01T12:02:30Z"),
            "12:00 missed 12:01 missed 12:02 fire -> 12:03 (last 12:02, missed 2)");
  due_.schedule.misfire.kind = Misfire::skip;
  EXPECT_EQ(told("2026-01-01T12:01:30Z"),
            "12:00 missed 12:01 missed -> 12:02 (last 12:01, missed 2)");
  due_.schedule.misfire.kind = Misfire::all;
  due_.schedule.misfire.limit = 2;
  EXPECT_EQ(told("2026-01-01T12:02:30Z"),
            "12:00 missed 12:01 fire 12:02 fire -> 12:03 (last 12:02, missed 1)");
}

TEST_F(PlanFiring, MakesAsManyTasksAtOnceAsTheirBodiesPermit) {
  due_.schedule.misfire = {.kind = Misfire::all, .limit = 100};
  due_.schedule.task.body = std::string(kMostBytes / 2, 'x');
  EXPECT_EQ(told("2026-01-01T12:03:30Z"), "12:00 fire 12:01 fire -> 12:02 (last 12:01, missed 0)");
  due_.schedule.next_at = at("2026-01-01T12:02:00Z");
  EXPECT_EQ(told("2026-01-01T12:03:30Z"), "12:02 fire 12:03 fire -> 12:04 (last 12:03, missed 0)");
}

TEST_F(PlanFiring, SaysHowManyItMissedInAYear) {
  due_.schedule.spec = "@every 1s";
  due_.schedule.misfire.kind = Misfire::all;
  const auto firing = plan("2027-01-01T12:00:00Z");
  EXPECT_EQ(firing.missed, 365 * 86'400 + 1 - 16);
  EXPECT_EQ(firing.occurrences.size(), 100U + 16U);
  EXPECT_EQ(firing.next_at, at("2027-01-01T12:00:01Z"));
}

TEST_F(PlanFiring, SkipsWhatWouldOverlap) {
  due_.schedule.misfire.kind = Misfire::all;
  due_.schedule.overlap = Overlap::skip;
  EXPECT_EQ(told("2026-01-01T12:01:30Z"),
            "12:00 fire 12:01 overlap -> 12:02 (last 12:01, missed 0)");
  due_.overlaps = true;
  EXPECT_EQ(told("2026-01-01T12:00:00Z"), "12:00 overlap -> 12:01 (last 12:00, missed 0)");
}

TEST_F(PlanFiring, SkipsWhatWouldBeOverAQuota) {
  due_.over_quota = true;
  EXPECT_EQ(told("2026-01-01T12:00:00Z"), "12:00 quota_exceeded -> 12:01 (last 12:00, missed 0)");
  EXPECT_EQ(told("2026-01-01T12:00:00Z", true), "12:00 paused -> 12:01 (last 12:00, missed 0)");
}

TEST_F(PlanFiring, FiresNothingWhileTheEngineIsPaused) {
  EXPECT_EQ(told("2026-01-01T12:00:00Z", true), "12:00 paused -> 12:01 (last 12:00, missed 0)");
}

TEST_F(PlanFiring, EndsWithItsBounds) {
  due_.schedule.bounds.ends_at = at("2026-01-01T12:01:00Z");
  EXPECT_EQ(told("2026-01-01T12:00:00Z"), "12:00 fire -> never (last 12:00, missed 0)");
}

TEST_F(PlanFiring, MakesAQueueThatIsNotThere) {
  due_.queue.reset();
  const auto firing = plan("2026-01-01T12:00:00Z");
  EXPECT_TRUE(firing.queue_missing);
  EXPECT_TRUE(firing.occurrences.at(0).task);
}

TEST_F(PlanFiring, ATaskThatCannotBeMadeIsRecordedAndTheNextIsTried) {
  due_.schedule.task.url.clear();  // and the queue has no default endpoint
  EXPECT_EQ(told("2026-01-01T12:00:00Z"), "12:00 invalid -> 12:01 (last 12:00, missed 0)");
}

TEST_F(PlanFiring, OneThatBreaksARuleIsLookedAtAgainInAnHour) {
  const auto good = due_;
  for (int i = 0; i < 3; ++i) {
    due_ = good;
    if (i == 0) due_.schedule.unreadable = "its task is not JSON";
    if (i == 1) due_.schedule.spec = "every day";
    if (i == 2) due_.schedule.timezone = "Europe/Atlantis";
    EXPECT_EQ(told("2026-01-01T12:00:00Z"), "12:00 invalid -> 13:00 (last 12:00, missed 0)");
  }
}

TEST_F(PlanFiring, NothingIsDueWhenNextAtIsBetweenOccurrences) {
  due_.schedule.next_at = at("2026-01-01T12:00:30Z");
  EXPECT_EQ(told("2026-01-01T12:00:40Z"), "-> 12:01 (last never, missed 0)");
}

// Of three tenants: two schedules of "a" and of "b", one of "c", in rounds.
class PlanStep : public PlanFiring {
 protected:
  std::string planned(std::size_t most, bool late = false) {
    db::Due due;
    due.now = at("2026-01-01T12:00:00Z");
    due.turn = "z";  // looked at, and had none
    for (const char* tenant : {"a", "b", "c", "a", "b"}) {
      due.schedules.push_back(due_);
      due.schedules.back().tenant = tenant;
    }
    const auto step = plan_step(
        due, most, [late] { return late; }, [] { return TaskId{}; });
    std::string out;
    for (const auto& firing : step.firings) out += firing.tenant;
    return out + " " + step.turn;
  }
};

TEST_F(PlanStep, WhoIsNotReachedIsTheFirstInTheNextOne) {
  EXPECT_EQ(planned(100), "abcab z");
  EXPECT_EQ(planned(4), "abca z");
  EXPECT_EQ(planned(3), "abc z");
  EXPECT_EQ(planned(2), "ab b");
  EXPECT_EQ(planned(0), "a a") << "at least one";
}

TEST_F(PlanStep, EndsWhenItIsLateOrHasTheBodiesOfOneStep) {
  EXPECT_EQ(planned(100, true), "a a");
  due_.schedule.task.body = std::string(kMostBytes / 2, 'x');
  EXPECT_EQ(planned(100), "ab b");
}

}  // namespace
}  // namespace postern::scheduler
