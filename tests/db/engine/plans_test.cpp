// The hot statements read what they need, by index, whatever the tables held when their plans were
// made: nothing, a little, or as much as now; and whether nobody has analyzed the tables, or
// autovacuum did while they were empty.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "db/engine/claim.h"
#include "db/engine/settle.h"
#include "db/engine/tick.h"
#include "db/tasks/counter_id.h"
#include "tests/support/database.h"
#include "tests/support/reads.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

// How many rows the tables hold when the plans are made, and when they are used.
struct Sizes {
  int planned;
  int used;
  bool analyzed = false;  // the tables were vacuumed and analyzed while they were empty
};

class Plans : public ::testing::TestWithParam<Sizes> {
 protected:
  static constexpr int kBatch = 32;
  // Statements are planned for their parameters five times, and once more for all.
  static constexpr int kUntilGeneric = 8;

  void SetUp() override {
    owner_.script(
        "ALTER TABLE postern.task SET (autovacuum_enabled = off);"
        "ALTER TABLE postern.lease SET (autovacuum_enabled = off)");
    if (GetParam().analyzed) owner_.script("VACUUM ANALYZE");
    fill(GetParam().planned);
    for (int i = 0; i < kUntilGeneric; ++i) deliver();
    fill(GetParam().used - GetParam().planned);
  }

  // Ready tasks in one lane and as many delayed ones, and a hundredth of them leased.
  void fill(int count) {
    if (count <= 0) return;
    owner_.script(
        fmt::format("INSERT INTO postern.task (id, tenant, queue, url, lane, state, run_at) "
                    "SELECT postern.new_task_id(), 'default', 'q', 'http://receiver.test/', {}, "
                    "CASE n % 2 WHEN 0 THEN 'ready' ELSE 'delayed' END, "
                    "now() + CASE n % 2 WHEN 0 THEN interval '0' ELSE interval '1 day' END "
                    "FROM generate_series(1, {}) n;"
                    "INSERT INTO postern.lease (task, lease, instance, until, tenant, queue) "
                    "SELECT id, gen_random_uuid(), gen_random_uuid(), now() + interval '1 h', "
                    "tenant, queue FROM (SELECT *, row_number() OVER () AS n FROM postern.task) t "
                    "WHERE n % 100 = 0 AND state = 'ready' ON CONFLICT DO NOTHING",
                    lane_of(new_task()), count)
            .c_str());
  }

  // What `work` reads of tasks and leases.
  template <class Work>
  Reads read_by(Work work) {
    return reads_of(scheduler_, "postern.task, postern.lease", work);
  }

  // What a scan passes on its way: dead entries of what was delivered, and what is leased.
  static int passed() { return 2 * (kUntilGeneric * kBatch + GetParam().used / 100); }

  std::vector<db::Claimed> claim_some() { return claim(scheduler_, kBatch); }
  void settle(const std::vector<db::Claimed>& tasks) {
    std::vector<db::Settlement> ends;
    for (const auto& task : tasks) ends.push_back(db::settlement(task, State::completed));
    scheduler_.exec(db::kSettle, db::settle_params(Uuid{}, ends));
  }
  void tick() { scheduler_.exec(db::kTick, db::tick_params({kBatch})); }
  void deliver() {
    settle(claim_some());
    tick();
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
};

INSTANTIATE_TEST_SUITE_P(Sizes, Plans,
                         ::testing::Values(Sizes{0, 400}, Sizes{0, 40'000}, Sizes{400, 40'000},
                                           Sizes{40'000, 40'000}, Sizes{0, 40'000, true}),
                         [](const auto& each) {
                           return fmt::format("Planned{}Used{}{}", each.param.planned,
                                              each.param.used,
                                              each.param.analyzed ? "Analyzed" : "");
                         });

TEST_P(Plans, AClaimReadsAFewRowsForEachTask) {
  std::vector<db::Claimed> claimed;
  const auto read = read_by([&] { claimed = claim_some(); });
  EXPECT_EQ(claimed.size(), static_cast<std::size_t>(kBatch));
  EXPECT_EQ(read.scanned, 0);
  EXPECT_LE(read.blocks, 20 * kBatch + passed());
}

TEST_P(Plans, ASettleReadsEachTaskAndItsLease) {
  const auto claimed = claim_some();
  const auto read = read_by([&] { settle(claimed); });
  EXPECT_EQ(read.scanned, 0);
  EXPECT_LE(read.blocks, 20 * kBatch);
}

TEST_P(Plans, ATickReadsARowForEachLane) {
  const auto read = read_by([&] { tick(); });
  EXPECT_EQ(read.scanned, 0);
  EXPECT_LE(read.blocks, 20 + passed());
}

// While somebody holds an old snapshot nothing that was settled can be removed.
using UnderASnapshot = Plans;
INSTANTIATE_TEST_SUITE_P(Sizes, UnderASnapshot, ::testing::Values(Sizes{0, 4'000}));

TEST_P(UnderASnapshot, AClaimReadsWhatLiesBehindItsMark) {
  auto holder = database_.connect();
  holder.script("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM postern.task");
  owner_.script("DELETE FROM postern.lease");
  std::vector<db::Claimed> last;
  for (auto some = claim_some(); !some.empty(); some = claim_some()) {
    settle(some);
    last = std::move(some);
  }
  insert(owner_, {new_task()});

  const db::LaneName name{"default", "q", ""};
  const db::LaneMark mark{db::rank_of(last.back().spec.priority), last.back().run_at,
                          last.back().spec.id};
  const db::LaneClaim lane{{lane_of(new_task()), kBatch}, &name, std::span(&mark, 1)};
  const auto read = read_by([&] {
    const auto lease = random_uuid();
    const auto result = scheduler_.exec(
        db::kClaim, db::claim_params(std::span(&lane, 1), lease, Uuid{}, Seconds{30}));
    EXPECT_EQ(db::claimed_from(result, lease, Seconds{30}).tasks.size(), 1U);
  });
  EXPECT_EQ(read.scanned, 0);
  EXPECT_LE(read.blocks, 40);
  EXPECT_GE(read_by([&] { claim_some(); }).blocks, 150) << "this one has no mark";
}

TEST(CounterId, ChangesEveryFewStatements) {
  db::CounterId counters;
  const auto first = counters.next();
  for (int i = 1; i < 256; ++i) EXPECT_EQ(counters.next(), first);
  EXPECT_NE(counters.next(), first);
}

}  // namespace
}  // namespace postern::test
