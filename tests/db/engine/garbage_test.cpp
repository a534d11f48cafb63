#include "db/engine/garbage.h"

#include <gtest/gtest.h>

#include "db/engine/heartbeat.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

class Garbage : public ::testing::Test {
 protected:
  std::int64_t scalar(const char* sql) { return owner_.exec({"", sql}).integer(0, 0); }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

TEST_F(Garbage, ExpiredKeysAreForgotten) {
  owner_.script(R"sql(
    INSERT INTO postern.idempotency_key VALUES
      ('default', 'old', gen_random_uuid(), '', now() - interval '1 s'),
      ('default', 'new', gen_random_uuid(), '', now() + interval '1 h'))sql");
  scheduler_.exec(db::kExpireKeys);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.idempotency_key"), 1);
}

TEST_F(Garbage, CountersOfTheDepartedAddUpInOne) {
  const auto alive = random_uuid();
  scheduler_.exec(db::kBeat, db::beat_params(alive, "n", {}));
  for (const auto& instance : {alive, random_uuid(), random_uuid()}) {
    owner_.exec({"", "INSERT INTO postern.counter VALUES ($1, 'default', 'q', 'created', 5)"},
                db::Params().uuid(instance));
  }
  scheduler_.exec(db::kFoldCounters);
  EXPECT_EQ(scalar("SELECT count(*) FROM postern.counter"), 2);
  EXPECT_EQ(counter(owner_, "created"), 15);
}

}  // namespace
}  // namespace postern::test
