// A synchronous standby that is not there: no commit is confirmed by it, so nothing is
// acknowledged.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class StandbyWait : public WireTest {
 protected:
  StandbyWait() {
    admin_.script("SET synchronous_commit = local");
    create();  // everything is connected, and prepared
    admin_.script("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    admin_.exec({"", "SELECT pg_reload_conf()"});
    // Commits wait once the checkpointer has seen it.
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (count("SELECT setting <> '' FROM pg_settings WHERE name = 'synchronous_standby_names'",
                 true) == 0 &&
           std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ~StandbyWait() override {
    admin_.script("ALTER SYSTEM RESET synchronous_standby_names");
    admin_.exec({"", "SELECT pg_reload_conf()"});
  }
  std::int64_t count(const char* sql, bool is_boolean) {
    const auto row = admin_.exec({"", sql});
    return is_boolean ? row.boolean(0, 0) : row.integer(0, 0);
  }

  // While it lives, ends each wait for the standby: the first by `first`, others by a cancel.
  class Impatience {
   public:
    Impatience(const Database& database, std::string first)
        : thread_([&database, first = std::move(first), this](const std::stop_token& stop) {
            auto connection = database.connect();
            const auto sql = [](const std::string& how) {
              return "SELECT " + how +
                     "(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND "
                     "application_name <> 'x'";
            };
            while (!stop.stop_requested()) {
              const auto how = waits_ == 0 ? first : std::string("pg_cancel_backend");
              waits_ += connection.exec({"", sql(how).c_str()}).rows();
              std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
          }) {}
    int waits() const { return waits_; }

   private:
    std::atomic<int> waits_ = 0;
    std::jthread thread_;
  };

  void expect_nothing_acknowledged(const std::string& first) {
    const Impatience impatience(database_, first);
    // Those before the wait begins are created; from the first that waits on none is.
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    Answer answer;
    do {
      answer = create();
    } while (answer.status == 201 && impatience.waits() == 0 &&
             std::chrono::steady_clock::now() < limit);
    EXPECT_EQ(answer.status, 503) << answer.body;
    EXPECT_NE(answer.body.find("outcome_unknown"), std::string::npos) << answer.body;
  }
};

TEST_F(StandbyWait, ACommitThatWasNotConfirmedIsNotAcknowledged) {
  expect_nothing_acknowledged("pg_cancel_backend");
}

// The row is there, and others see it: the wait of its own commit was cut short.
TEST_F(StandbyWait, ATaskThatIsFoundAfterwardsIsNotEither) {
  expect_nothing_acknowledged("pg_terminate_backend");
}

}  // namespace
}  // namespace postern::test
