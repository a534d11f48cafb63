// What a claim brought and what was not sent yet: it is the dispatcher's to give back or to end.
// Time passes for it as the tests say.
#include "scheduler/delivery/dispatcher.h"

#include <gtest/gtest.h>

#include <array>

#include <fmt/format.h>

#include "db/engine/pg_store.h"
#include "tests/scheduler/support/client.h"
#include "tests/scheduler/support/http_server.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::scheduler::test {
namespace {

using namespace std::chrono_literals;

class UnsentTasks : public ::testing::Test {
 protected:
  static constexpr int kTasks = 100;  // each in a lane of its own, so that one claim brings all

  // Claims them all, and sends none yet.
  void claim_all(const char* columns = "") {
    owner_.script(fmt::format("INSERT INTO postern.task (id, tenant, queue, lane, state, url{0}) "
                              "SELECT postern.new_task_id(), 'default', 'q', n, 'ready', '{1}'{2} "
                              "FROM generate_series(1, {3}) n",
                              *columns ? ", deadline" : "", receiver_.url(), columns, kTasks)
                      .c_str());
    std::vector<std::int64_t> lanes;
    for (int lane = 1; lane <= kTasks; ++lane) lanes.push_back(lane);
    run_until([&] { return claims_.connected() && settles_.connected(); });
    dispatcher_.add_lanes(lanes);
    run_until([&] { return dispatcher_.in_flight() == kTasks; });
  }

  // Nothing of the tenant is written any more, and its attempts end.
  void fence() {
    owner_.script("UPDATE postern.tenant SET state = 'fenced'");
    run_until([&] { return dispatcher_.settler().kept() == kTasks; });
  }

  void run_until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit);
      dispatcher_.turn(std::chrono::steady_clock::now() + passed_);
      drive();
      if (done()) return;
      std::array<WaitFd, 2> fds{};
      std::size_t count = 0;
      for (const auto* channel : {&claims_, &settles_}) {
        if (channel->socket() >= 0)
          fds[count++] = {channel->socket(), true, channel->wants_write()};
      }
      client_.http.wait(std::span(fds.data(), count), 5ms);
      drive();
    }
  }
  void drive() {
    for (auto* channel : {&claims_, &settles_}) channel->drive(std::chrono::steady_clock::now());
  }
  void finish() {
    run_until([&] { return dispatcher_.idle(); });
  }
  std::int64_t count(const std::string& of) {
    return owner_.exec({"", ("SELECT count(*) FROM postern." + of).c_str()}).integer(0, 0);
  }

  postern::test::Database database_;
  db::PgConnection owner_ = database_.connect();
  HttpServer receiver_{answer_all};
  Client client_;
  db::Channel claims_{database_.options("postern_scheduler"), ""};
  db::Channel settles_{database_.options("postern_scheduler"), ""};
  db::PgStore claim_store_{claims_}, settle_store_{settles_};
  Dispatcher dispatcher_{
      {.instance = random_uuid()}, claim_store_, settle_store_, client_.http, machine()};
  Monotonic::duration passed_{};  // besides the real time
};

TEST_F(UnsentTasks, AreGivenBackWithTheirAttemptsWhenTheSchedulerStops) {
  claim_all();
  dispatcher_.turn(std::chrono::steady_clock::now());  // sends the first of them
  dispatcher_.stop_claiming();
  finish();
  const auto sent = static_cast<std::int64_t>(receiver_.requests().size());
  EXPECT_GT(sent, 0);
  EXPECT_LT(sent, kTasks);
  EXPECT_EQ(count("task_finished WHERE state = 'completed'"), sent);
  EXPECT_EQ(count("task WHERE state = 'ready' AND attempt = 0"), kTasks - sent);
  EXPECT_EQ(count("lease"), 0);
}

TEST_F(UnsentTasks, AreAllSentWhenItDoesNot) {
  claim_all();
  finish();
  EXPECT_EQ(receiver_.requests().size(), static_cast<std::size_t>(kTasks));
  EXPECT_EQ(count("task_finished WHERE state = 'completed'"), kTasks);
}

// A pause of a move may be given up, and then the receivers' answers count.
TEST_F(UnsentTasks, AreSettledOnceTheirTenantIsHereAgain) {
  claim_all();
  fence();
  for (int i = 0; i < 3; ++i) {  // sent again, and kept again
    passed_ += 2s;
    run_until([&] { return dispatcher_.settler().kept() == 0; });
    run_until([&] { return dispatcher_.settler().kept() == kTasks; });
  }
  EXPECT_EQ(dispatcher_.unsettled(), static_cast<std::size_t>(kTasks));
  EXPECT_EQ(count("lease"), kTasks);
  EXPECT_EQ(count("task WHERE attempt = 0"), kTasks);

  owner_.script("UPDATE postern.tenant SET state = 'here'");
  passed_ += 2s;
  run_until([&] { return dispatcher_.unsettled() == 0; });
  EXPECT_EQ(receiver_.requests().size(), static_cast<std::size_t>(kTasks));
  EXPECT_EQ(count("task_finished WHERE state = 'completed' AND attempt = 1"), kTasks);
}

TEST_F(UnsentTasks, AreForgottenOnceTheirTenantHasMoved) {
  claim_all();
  fence();
  owner_.script("DELETE FROM postern.lease");
  passed_ = 2s;
  run_until([&] { return dispatcher_.unsettled() == 0; });
  EXPECT_EQ(count("task WHERE attempt = 0"), kTasks);
}

// As when the tenant is fenced between the two statements: it is not sent again at once, and for
// ever.
TEST_F(UnsentTasks, ThatCannotBeSetAsideAtPresentAreKept) {
  owner_.script(R"sql(
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF current_query() LIKE '%set_aside%' THEN
        RAISE EXCEPTION 'on its way' USING ERRCODE = 'PM001';
      END IF;
      RAISE EXCEPTION 'odd' USING ERRCODE = 'check_violation';
    END $$;
    CREATE TRIGGER refuse BEFORE DELETE ON postern.lease FOR EACH ROW EXECUTE FUNCTION public.refuse())sql");
  claim_all();
  run_until([&] { return dispatcher_.settler().kept() > 0; });
  owner_.script("DROP TRIGGER refuse ON postern.lease");
  passed_ = 2s;
  run_until([&] { return dispatcher_.unsettled() == 0; });
  EXPECT_EQ(count("task_finished WHERE state = 'completed' AND attempt = 1"), kTasks);
}

// However long a tenant is fenced, and however many there are, others' work goes on.
TEST_F(UnsentTasks, OfATenantThatIsFencedAreInNobodysWay) {
  constexpr int kKept = 600;  // more than the slots twice
  owner_.script(
      "INSERT INTO postern.tenant (name, state) VALUES ('away', 'fenced'); INSERT INTO "
      "postern.task (id, tenant, queue, lane, state, url) SELECT postern.new_task_id(), 'away', "
      "'q', 999, 'ready', 'http://receiver.test/' FROM generate_series(1, 600); INSERT INTO "
      "postern.lease (task, lease, until, tenant, queue) SELECT id, id, now() + interval '1 hour', "
      "tenant, queue FROM postern.task");
  const auto away = owner_.exec({"", "SELECT id FROM postern.task"});
  for (int i = 0; i < away.rows(); ++i) {
    dispatcher_.settler().add(
        {.id = away.uuid(i, 0), .lease = away.uuid(i, 0), .state = State::completed});
  }
  run_until([&] { return dispatcher_.settler().kept() == kKept; });
  EXPECT_TRUE(dispatcher_.idle());

  claim_all();
  finish();
  EXPECT_EQ(count("task_finished WHERE tenant = 'default' AND state = 'completed'"), kTasks);
  EXPECT_EQ(count("lease"), kKept);
}

TEST_F(UnsentTasks, EndWhenTheirDeadlinePassesBeforeTheirTurn) {
  claim_all(", now() + interval '9 seconds'");
  passed_ = 10s;
  finish();
  EXPECT_TRUE(receiver_.requests().empty());
  EXPECT_EQ(count("task_finished WHERE state = 'failed' AND reason = 'deadline'"), kTasks);
}

TEST_F(UnsentTasks, AreGivenBackWhenTheirLeasesMightEndBeforeTheirAttempts) {
  claim_all();
  passed_ = 26s;
  run_until([&] { return dispatcher_.in_flight() == 0; });
  dispatcher_.stop_claiming();
  finish();
  EXPECT_TRUE(receiver_.requests().empty());
  EXPECT_EQ(count("task WHERE state = 'ready' AND attempt = 0"), kTasks);
  EXPECT_EQ(count("lease"), 0);
}

TEST_F(UnsentTasks, AreGivenBackWhileOthersMayTakeTheSchedulerForDead) {
  const auto now = std::chrono::steady_clock::now();
  dispatcher_.beaten(now + 10s, now);
  claim_all();
  passed_ = 11s;
  finish();
  EXPECT_TRUE(receiver_.requests().empty());
  EXPECT_EQ(count("task WHERE state = 'ready' AND attempt = 0"), kTasks);
  dispatcher_.turn(now + passed_);
  EXPECT_TRUE(dispatcher_.idle()) << "it claims nothing";
  dispatcher_.beaten(now + 21s, now + 11s);
  run_until([&] { return count("task_finished") == kTasks; });
}

TEST_F(UnsentTasks, AreGivenBackWhenOthersMayHaveTakenTheSchedulerForDeadSinceTheirClaim) {
  const auto now = std::chrono::steady_clock::now();
  dispatcher_.beaten(now + 10s, now);
  claim_all();
  passed_ = 11s;
  dispatcher_.beaten(now + 21s, now + 11s);
  finish();
  EXPECT_TRUE(receiver_.requests().empty());
  EXPECT_EQ(count("task WHERE state = 'ready' AND attempt = 0"), kTasks);
}

// Rows that no program of ours writes: the constraints that keep them out are taken away first.
class OddRows : public UnsentTasks {
 protected:
  void make(const std::string& odd) {
    owner_.script(
        fmt::format("ALTER TABLE postern.task DROP CONSTRAINT task_ranges;"
                    "ALTER TABLE postern.task DROP CONSTRAINT task_dialect_known;"
                    "INSERT INTO postern.task (id, tenant, queue, lane, state, url) "
                    "SELECT postern.new_task_id(), 'default', 'q', n, 'ready', '{}' "
                    "FROM generate_series(1, {}) n;{}",
                    receiver_.url(), kTasks, odd));
  }
  void deliver(std::int64_t finished) {
    std::vector<std::int64_t> lanes;
    for (int lane = 1; lane <= kTasks + 1; ++lane) lanes.push_back(lane);
    run_until([&] { return claims_.connected() && settles_.connected(); });
    dispatcher_.add_lanes(lanes);
    run_until([&] { return count("task_finished") == finished && dispatcher_.idle(); });
  }
  std::string end_of(int lane) {
    return std::string(
        owner_
            .exec({"", "SELECT state || ' ' || reason FROM postern.task_finished WHERE lane = $1"},
                  db::Params().int8(lane))
            .text(0, 0));
  }
};

TEST_F(OddRows, AreSetAsideAndTheOthersGoOn) {
  make(
      "UPDATE postern.task SET attempt = 2147483647 WHERE lane = 1;"
      "UPDATE postern.task SET dialect = 'nonesuch' WHERE lane = 2;"
      "UPDATE postern.task SET body_form = 'odd' WHERE lane = 3;"
      "UPDATE postern.task SET headers = 'no JSON' WHERE lane = 4;"
      "UPDATE postern.task SET url = 'x' WHERE lane = 5;"
      "UPDATE postern.task SET run_at = '-infinity' WHERE lane = 6;"
      "UPDATE postern.task SET deadline = 'infinity' WHERE lane = 7;"
      "UPDATE postern.task SET retry_policy = '{', max_attempts = 2147483647 WHERE lane = 8;"
      "UPDATE postern.task SET attempts = '{\"no\": \"list\"}', tags = '{{a},{b}}' WHERE lane = 9;"
      "UPDATE postern.task SET attempt = 2147483646 WHERE lane = 10;");
  deliver(kTasks);
  for (const int lane : {1, 2, 3}) EXPECT_EQ(end_of(lane), "failed corrupt_row") << lane;
  for (const int lane : {4, 5}) EXPECT_EQ(end_of(lane), "failed invalid") << lane;
  for (const int lane : {6, 7, 8, 9, 10}) EXPECT_EQ(end_of(lane), "completed ") << lane;
  EXPECT_EQ(count("task_finished WHERE state = 'completed'"), kTasks - 5);
  EXPECT_EQ(count("task_finished WHERE reason = 'corrupt_row' AND last_error <> ''"), 3);
  EXPECT_EQ(count("lease"), 0);
  EXPECT_EQ(postern::test::counter(owner_, "corrupt_rows"), 3);
  EXPECT_EQ(postern::test::counter(owner_, "finished_failed"), 5);
}

// It was delivered, but no statement that moves its row whole can succeed.
TEST_F(OddRows, ASettlementThatCannotSucceedEndsTheTask) {
  make(
      "ALTER TABLE postern.task_finished ADD CONSTRAINT odd CHECK (priority <> 77);"
      "UPDATE postern.task SET priority = 77 WHERE lane <= 3;");
  deliver(kTasks);
  EXPECT_EQ(count("task_finished WHERE state = 'completed'"), kTasks - 3);
  EXPECT_EQ(count("task_finished WHERE reason = 'corrupt_row' AND last_error LIKE '%odd%'"), 3);
  EXPECT_EQ(count("task"), 0);
  EXPECT_EQ(count("lease"), 0);
}

// The wait for this queue's next token is more than fits: no claim of its lane succeeds.
TEST_F(OddRows, AnOddQueueHoldsUpItsOwnLaneAlone) {
  make(fmt::format(
      "ALTER TABLE postern.queue DROP CONSTRAINT queue_rate_range;"
      "INSERT INTO postern.queue (tenant, name, rate_count, rate_period, rate_tokens, rate_at) "
      "VALUES ('default', 'odd', 1, '178000000 years', 0, now());"
      "INSERT INTO postern.task (id, tenant, queue, lane, state, url) "
      "SELECT postern.new_task_id(), 'default', 'odd', {}, 'ready', 'http://h.test/' "
      "FROM generate_series(1, 3) n;",
      kTasks + 1));
  deliver(kTasks);
  EXPECT_EQ(count("task_finished WHERE state = 'completed'"), kTasks);
  EXPECT_EQ(count("task WHERE queue = 'odd' AND state = 'ready'"), 3);
}

}  // namespace
}  // namespace postern::scheduler::test
