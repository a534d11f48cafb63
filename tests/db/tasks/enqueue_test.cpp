// The SQL door: postern.enqueue, and the routing of what came through it.
#include <gtest/gtest.h>

#include "core/base/uuid.h"
#include "core/model/ids.h"
#include "core/program/task_ids.h"
#include "db/engine/claim.h"
#include "db/engine/routing.h"
#include "tests/db/tasks/enqueue.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

TEST_F(Enqueue, TakesTheQueuesDefaults) {
  owner_.script(
      "INSERT INTO postern.queue (tenant, name, max_retries, timeout_ms, retry_policy) "
      "VALUES ('default', 'q', 9, 5000, 'linear')");
  const auto id = enqueue("'q', 'https://h.test/p', '{\"b\": 1, \"a\": [2]}'");
  const auto task = *read(owner_, id);
  EXPECT_EQ(task.spec.max_attempts, 10);
  EXPECT_EQ(task.spec.timeout, Seconds{5});
  EXPECT_EQ(task.spec.retry_policy, "linear");
  EXPECT_EQ(task.spec.body, R"({"a": [2], "b": 1})") << "jsonb's own text";
  EXPECT_EQ(task.spec.body_form, BodyForm::payload);
  EXPECT_EQ(task.spec.priority, 50);
  EXPECT_EQ(task.state, State::ready);
}

TEST_F(Enqueue, ABodyIsKeptByteForByte) {
  const auto id = enqueue(
      "'q', 'https://h.test/p', '\\x00ff'::bytea, 'application/x-thing', delay => '1 hour'");
  const auto task = *read(owner_, id);
  EXPECT_EQ(task.spec.body, std::string("\0\xff", 2));
  EXPECT_EQ(task.spec.body_form, BodyForm::raw);
  EXPECT_EQ(task.spec.content_type, "application/x-thing");
  EXPECT_EQ(task.state, State::delayed);
}

// Its ids are core's: made of the same clock, to the microsecond, they stand in the order of
// making.
TEST_F(Enqueue, IdsStandInTheOrderOfMaking) {
  TaskId before = new_task_id();
  for (int i = 0; i < 100; ++i) {
    const auto id = enqueue("'q', 'https://h.test/p'");
    ASSERT_LT(before, id);
    ASSERT_EQ(parse_task_id(to_uuid(id)), id) << "version and variant";
    before = new_task_id();
    ASSERT_LT(id, before);
  }
}

TEST_F(Enqueue, ExistsOnlyIfTheTransactionCommits) {
  {
    db::Transaction transaction(*app_);
    enqueue("'q', 'https://h.test/p'");
    EXPECT_TRUE(unrouted().empty());
  }
  EXPECT_TRUE(unrouted().empty());
  enqueue("'q', 'https://h.test/p'");
  EXPECT_EQ(unrouted().size(), 1U);
}

TEST_F(Enqueue, TheRolesTenantIsTheTasks) {
  owner_.script(
      "INSERT INTO postern.tenant VALUES ('acme'); INSERT INTO postern.role_tenant VALUES ('app', "
      "'acme')");
  const auto id = enqueue("'q', 'https://h.test/p'");
  EXPECT_FALSE(read(owner_, id));
  EXPECT_TRUE(db::get_task(owner_, "acme", id));
}

TEST_F(Enqueue, IsCountedOnceThoughItEndsBeforeItIsRouted) {
  const auto depth = [&] {
    return owner_.exec({"", "SELECT postern.queue_depth('default', 'q')"}).integer(0, 0);
  };
  const auto deleted = enqueue("'q', 'https://h.test/p'");
  ASSERT_EQ(db::delete_task(owner_, "default", deleted, Uuid{}).kind, db::Transition::Kind::done);
  EXPECT_EQ(depth(), 0);
  const auto id = enqueue("'q', 'https://h.test/p'");
  ASSERT_EQ(db::cancel_task(owner_, "default", id, Uuid{}).kind, db::Transition::Kind::done);
  EXPECT_EQ(depth(), 0);
  EXPECT_EQ(counter(owner_, "created"), 2);
  ASSERT_EQ(db::retry_task(owner_, "default", id, Uuid{}).kind, db::Transition::Kind::done);
  const db::Routing routing{id, 7, "https://h.test/p", "default", "q", ""};
  scheduler_.exec(db::kRoute, db::route_params(Uuid{}, {&routing, 1}));
  EXPECT_EQ(depth(), 1);
}

TEST_F(Enqueue, RefusesWhatIsOutOfRangeNamingTheField) {
  struct Case {
    const char* arguments;
    const char* names;
  };
  for (const auto& c : {
           Case{"'bad queue', 'https://h.test/'", "queue"},
           Case{"'', 'https://h.test/'", "queue"},
           Case{"'q', NULL", "url"},
           Case{"'q', 'ftp://h.test/'", "url"},
           Case{"'q', 'http://user@h.test/'", "url"},
           Case{"'q', 'http://h.test/a b'", "url"},
           Case{"'q', 'http://h.test\\evil'", "url"},
           Case{"'q', E'http://h.test/\\n'", "url"},
           Case{"'q', 'https://h.test/', priority => 0", "priority"},
           Case{"'q', 'https://h.test/', priority => 11", "priority"},
           Case{"'q', 'https://h.test/', max_retries => 101", "max_retries"},
           Case{"'q', 'https://h.test/', delay => '-1 s'", "delay"},
           Case{"'q', 'https://h.test/', delay => '11 years'", "delay"},
           Case{"'q', 'https://h.test/', run_at => 'infinity'", "run_at"},
           Case{"'q', 'https://h.test/', timeout => '0.5 s'", "timeout"},
           Case{"'q', 'https://h.test/', deadline => '2001-01-01'", "deadline"},
           Case{"'q', 'https://h.test/', method => 'TRACE'", "method"},
       }) {
    try {
      enqueue(c.arguments);
      ADD_FAILURE() << "accepted: " << c.arguments;
    } catch (const db::PgError& error) {
      EXPECT_NE(std::string(error.what()).find(c.names), std::string::npos)
          << c.arguments << ": " << error.what();
    }
  }
}

TEST_F(Enqueue, TheQueuesLimitOfTriesHolds) {
  owner_.script(
      "INSERT INTO postern.queue (tenant, name, max_retries, max_tries) VALUES ('default', 'q', 9, "
      "3)");
  EXPECT_EQ(read(owner_, enqueue("'q', 'https://h.test/p'"))->spec.max_attempts, 3);
}

TEST_F(Enqueue, OneRoutedTaskIsClaimedAndCounted) {
  const auto id = enqueue("'fresh', 'https://h.test/p', '{}'");
  db::Routing routing{id, 77, "https://h.test/p", "default", "fresh", ""};
  scheduler_.exec(db::kRoute, db::route_params(Uuid{}, std::vector{routing}));
  scheduler_.exec(db::kRoute, db::route_params(Uuid{}, std::vector{routing}));
  EXPECT_TRUE(unrouted().empty());
  EXPECT_EQ(counter(owner_, "created"), 1) << "routing twice counts once";
  const char* made =
      "SELECT FROM postern.queue WHERE name = 'fresh' AND max_concurrent IS NULL "
      "AND max_runtime IS NULL";
  EXPECT_EQ(owner_.exec({"", made}).rows(), 1);
  const std::vector<db::LaneSlots> lanes{{77, 5}};
  EXPECT_EQ(scheduler_.exec(db::kClaim, db::claim_params(lanes, random_uuid(), Uuid{}, Seconds{30}))
                .rows(),
            1);
}

TEST_F(Enqueue, WhatCoreRefusesEndsAsFailedAndStaysVisible) {
  const auto id = enqueue("'q', 'https://h.test/p', '{}'");
  db::Routing routing{id, 0, "", "default", "q", "a later program refuses it"};
  scheduler_.exec(db::kRoute, db::route_params(Uuid{}, std::vector{routing}));
  const auto task = *read(owner_, id);
  EXPECT_EQ(task.state, State::failed);
  EXPECT_EQ(task.reason, Reason::invalid);
  EXPECT_EQ(task.last_error, routing.invalid);
  EXPECT_EQ(counter(owner_, "finished_failed"), 1);
}

TEST_F(Enqueue, RoutingReadsNoBodiesAndABoundedRest) {
  enqueue("'q', 'https://h.test/p', convert_to(repeat('x', 16777216), 'UTF8'), 'text/plain'");
  EXPECT_FALSE(unrouted().at(0).spec.body);
  for (const char* const much :
       {"headers => jsonb_build_object('a', repeat('x', 65536))",
        "tags => array_fill('tag'::text, ARRAY[100000])", "retry_policy => repeat('x', 65537)"}) {
    EXPECT_THROW(enqueue(("'q', 'https://h.test/p', " + std::string(much)).c_str()), db::PgError);
  }
}

// Another transaction may hold one of the tasks and want the others.
TEST_F(Enqueue, WhatIsLockedIsRoutedTheNextTime) {
  std::vector<db::Routing> routings;
  for (int i = 0; i < 3; ++i) {
    db::Routing routing;
    routing.id = enqueue("'q', 'http://h.test/'");
    routing.tenant = "default";
    routing.queue = "q";
    if (i == 2) routing.invalid = "why";
    routing.url = "http://h.test/";
    routing.lane = 7;
    routings.push_back(routing);
  }
  const auto route = [&] {
    return scheduler_.exec(db::kRoute, db::route_params(Uuid{}, routings)).integer(0, 0);
  };
  db::Transaction cancelling(owner_);
  const auto lock = [&](int i) {
    owner_.exec({"", "SELECT FROM postern.task WHERE id = $1 FOR UPDATE"},
                db::Params().uuid(routings[static_cast<std::size_t>(i)].id));
  };
  lock(1);
  lock(2);
  EXPECT_EQ(route(), 1);
  lock(0);
  cancelling.commit();
  EXPECT_EQ(route(), 1);
  EXPECT_EQ(counter(owner_, "created"), 3);
  EXPECT_TRUE(unrouted().empty());
}

}  // namespace
}  // namespace postern::test
