// What meets a lock, and what became of a commit: who waits with whom, and for what.
#include <sys/socket.h>

#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "db/engine/backend.h"
#include "tests/fcgi/wire.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

using namespace std::chrono_literals;

class IntakeLocksTest : public WireTest {
 protected:
  using Promised = std::future<Result<Intake::Taken>>;

  IntakeLocksTest() { admin_.script("INSERT INTO postern.tenant (name) VALUES ('acme'), ('zoo')"); }

  // Hands tasks over, all together; those without a key are plain.
  std::vector<Promised> submit(
      const std::vector<std::pair<std::string, std::string>>& keys_of_tenants) {
    std::vector<Promised> promised;
    std::vector<Intake::Entry> entries;
    for (const auto& [tenant, key] : keys_of_tenants) {
      NewTask task = new_task();
      task.delay = Seconds{3600};
      task.spec.tenant = tenant;
      task.spec.idempotency_key = key;
      task.request_hash = "h";
      const auto lane = lane_of(task);
      auto promise = std::make_shared<std::promise<Result<Intake::Taken>>>();
      promised.push_back(promise->get_future());
      entries.push_back({std::move(task), lane, false, [promise](Result<Intake::Taken> taken) {
                           promise->set_value(std::move(taken));
                         }});
    }
    intake_->submit(std::move(entries));
    return promised;
  }

  static bool made(Promised& promised) {
    const auto taken = promised.get();
    return taken && taken->kind == Intake::Taken::Kind::created;
  }

  void hold_key(db::PgConnection& locker) {
    locker.script(
        "INSERT INTO postern.idempotency_key VALUES "
        "('default', 'held', gen_random_uuid(), '', now() + interval '1 h')");
  }

  // By how many connections the tasks of the tenant were written.
  void note_writers() {
    admin_.script(R"sql(
      CREATE TABLE writer (pid int, tenant text, held bool);
      CREATE FUNCTION note_writer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN INSERT INTO public.writer VALUES (pg_backend_pid(), new.tenant, new.idempotency_key IS NOT NULL); RETURN new; END $$;
      CREATE TRIGGER note_writer BEFORE INSERT ON postern.task FOR EACH ROW EXECUTE FUNCTION note_writer())sql");
  }
};

// The others' keyed tasks of the same batch, tried before it and after it, are written at once on
// the first connection.
TEST_F(IntakeLocksTest, OnlyTheTenantOfAHeldKeyGoesAside) {
  note_writers();
  ASSERT_EQ(create().status, 201);
  auto locker = database_.connect();
  std::vector<Promised> promised;
  {
    db::Transaction transaction(locker);
    hold_key(locker);
    promised = submit({{"acme", "k"}, {"default", "held"}, {"zoo", "k"}});
    EXPECT_TRUE(made(promised[0]));
    EXPECT_TRUE(made(promised[2]));
    EXPECT_EQ(promised[1].wait_for(0s), std::future_status::timeout);
  }
  EXPECT_TRUE(made(promised[1]));
  EXPECT_EQ(count("SELECT count(DISTINCT pid) FROM writer"), 2);
  EXPECT_EQ(count("SELECT count(DISTINCT pid) FROM writer WHERE tenant <> 'default' OR NOT held"),
            1);
}

// A tenant's tasks with free keys do not wait for the one whose key is held.
TEST_F(IntakeLocksTest, OnlyTheTaskOfAHeldKeyWaits) {
  auto locker = database_.connect();
  std::vector<Promised> promised;
  {
    db::Transaction transaction(locker);
    hold_key(locker);
    promised = submit({{"default", "a"}, {"default", "held"}, {"default", "z"}});
    EXPECT_TRUE(made(promised[0]));
    EXPECT_TRUE(made(promised[2]));
    EXPECT_EQ(promised[1].wait_for(0s), std::future_status::timeout);
  }
  EXPECT_TRUE(made(promised[1]));
}

constexpr char kSleeping[] = R"sql(
  SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')sql";

class CommitUnsureTest : public IntakeLocksTest {
 protected:
  CommitUnsureTest() {
    handlers_.reset();
    Intake::Options options{.database = database_.options("postern_api"),
                            .instance = random_uuid(),
                            .name = "test",
                            .look_up_for = 40s};
    options.greet = [this](db::PgConnection& connection) {
      const std::lock_guard lock(mutex_);
      sockets_[db::backend_of(connection).pid] = connection.socket();
    };
    intake_ = std::make_unique<Intake>(options);
    await_intake();
  }

  ~CommitUnsureTest() override { intake_.reset(); }

  // How long an insertion takes. REQUIRES: less than 5 s, after which the statement is cancelled.
  void take_seconds(int seconds) {
    admin_.script(fmt::format(
        R"sql(
      CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({}); RETURN new; END $$;
      CREATE TRIGGER take_time BEFORE INSERT ON postern.task FOR EACH ROW EXECUTE FUNCTION take_time())sql",
        seconds));
  }

  // The process that inserts, which takes its time for it; 0: there is none.
  std::int64_t await_insertion() {
    for (int i = 0; i < 3'000; ++i) {
      const auto rows = admin_.exec({"", kSleeping});
      if (rows.rows() > 0) return rows.integer(0, 0);
      std::this_thread::sleep_for(1ms);
    }
    return 0;
  }

  int socket_of(std::int64_t pid) {
    const std::lock_guard lock(mutex_);
    return sockets_.at(pid);
  }

  std::mutex mutex_;
  std::map<std::int64_t, int> sockets_;  // of the intake's connections
};

// Nobody is left who may commit it: it is told at once, and not after all that time.
TEST_F(CommitUnsureTest, IsNotWaitedForWhenTheSessionHasEnded) {
  take_seconds(4);  // of which it is given a few milliseconds
  auto promised = submit({{"default", "k"}});
  const auto pid = await_insertion();
  ASSERT_GT(pid, 0);
  admin_.exec({"", "SELECT pg_terminate_backend($1::int, 10000)"},
              db::Params().int4(static_cast<std::int32_t>(pid)));
  ASSERT_EQ(promised[0].wait_for(30s), std::future_status::ready);
  const auto taken = promised[0].get();
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().reason, "outcome_unknown");
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 0);
}

// The server does not notice that the connection is gone, and commits.
TEST_F(CommitUnsureTest, IsWaitedForWhileTheSessionLives) {
  take_seconds(1);
  auto promised = submit({{"default", ""}});
  const auto pid = await_insertion();
  ASSERT_GT(pid, 0);
  ASSERT_EQ(shutdown(socket_of(pid), SHUT_RDWR), 0);
  ASSERT_EQ(promised[0].wait_for(30s), std::future_status::ready);
  EXPECT_TRUE(made(promised[0]));
  EXPECT_EQ(count("SELECT count(*) FROM postern.task"), 1);
}

}  // namespace
}  // namespace postern::test
