// What meets a lock: who waits with whom.
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

}  // namespace
}  // namespace postern::test
