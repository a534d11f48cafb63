#include "db/move/check.h"

#include <fmt/format.h>

#include "db/move/bulk.h"
#include "db/move/changes.h"
#include "db/move/sections.h"

namespace postern::db {
namespace {

constexpr std::int64_t kChanges = 5'000;
constexpr int kTries = 50;

constexpr Statement kPartition{"", R"sql(
  SELECT to_regclass(format('postern.task_finished_%s_%s', $1, to_char($2::text::date, 'YYYYMMDD'))) IS NOT NULL)sql"};

struct Sum {
  std::int64_t rows = 0, hash = 0;
  bool operator==(const Sum&) const = default;
};

Sum sum_of(PgConnection& connection, const Section& section) {
  const auto sql =
      fmt::format("SELECT count(*), coalesce(bit_xor({}), 0)::bigint FROM postern.{}{}",
                  section.hash, section.table, rows_between(section, {}, {}));
  const auto rows = connection.exec({"", sql.c_str()});
  return {rows.integer(0, 0), rows.integer(0, 1)};
}

bool has_partition(PgConnection& connection, const Section& section) {
  return connection.exec(kPartition, Params().text(section.retention).text(section.day))
      .boolean(0, 0);
}

// nullopt: so much changes that the target has to catch up first.
std::optional<Sum> compare(Ends& ends, const Section& section) {
  Sum here;
  std::vector<std::int64_t> notes;
  {
    const Snapshot snapshot(ends.source);
    if (noted_changes(ends, kChanges) >= kChanges) return std::nullopt;
    here = sum_of(ends.source, section);
    notes = copy_changes(ends, kChanges);
  }
  forget_changes(ends, notes);
  const Sum there = sum_of(ends.target, section);
  if (here == there) return here;
  // The retention of either end has dropped the day meanwhile.
  if (!section.day.empty() &&
      !(has_partition(ends.source, section) && has_partition(ends.target, section))) {
    return Sum{};
  }
  throw MoveRefused(
      Refusal::look_first,
      "the ends differ in {}: the source has {} rows there, the target {}{}; undo the move with "
      "--undo and begin again; unless a server has failed over meanwhile, tell the developers",
      fmt::join(section.name, " "), here.rows, there.rows,
      here.rows == there.rows ? ", of other versions" : "");
}

}  // namespace

std::int64_t compare_ends(Ends& ends) {
  std::int64_t rows = 0;
  for (const auto& section : sections(ends, minutes_before(ends.source, ends.tenant))) {
    if (section.hash.empty()) continue;
    std::optional<Sum> sum;
    for (int tries = 0; !sum; ++tries) {
      if (tries == kTries) {
        throw MoveRefused(Refusal::later,
                          "more changes at the source than can be copied meanwhile");
      }
      sum = compare(ends, section);
      if (!sum) catch_up(ends, 4 * kChanges);
    }
    rows += sum->rows;
  }
  return rows;
}

}  // namespace postern::db
