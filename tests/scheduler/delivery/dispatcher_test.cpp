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

}  // namespace
}  // namespace postern::scheduler::test
