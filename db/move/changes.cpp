#include "db/move/changes.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "db/move/bulk.h"
#include "db/move/sections.h"
#include "db/pg/copy.h"

namespace postern::db {
namespace {

constexpr std::int64_t kBatch = 1'000;

constexpr Statement kCount{"", R"sql(
  SELECT count(*) FROM (SELECT FROM postern.move_change WHERE tenant = $1 LIMIT $2) c)sql"};

// By keys, so that a batch holds what was made at about the same time, and each only once.
constexpr Statement kNotes{"move_notes", R"sql(
  SELECT id, kind::text AS kind, key, at::text AS at FROM postern.move_change
   WHERE tenant = $1 AND (kind, key, id) > ($2::text::"char", $3, $4) ORDER BY kind, key, id LIMIT $5)sql"};

constexpr Statement kForgetRows{"move_forget", R"sql(
  SELECT postern.move_forget($1, $2::text[]::uuid[], $3::text[]::uuid[], $4::text[]::timestamptz[], $5::text[], $6::text[],
                             $7::text[]::timestamptz[]))sql"};

constexpr Statement kRound{"move_round", R"sql(
  UPDATE postern.move SET rounds = rounds + 1 WHERE tenant = $1 AND NOT source RETURNING rounds)sql"};
constexpr Statement kForgetNotes{"move_noted", R"sql(
  WITH counted AS (UPDATE postern.move SET rounds = $3 WHERE tenant = $2 AND source AND rounds < $3)
  DELETE FROM postern.move_change WHERE id = ANY($1))sql"};

using Pairs = std::set<std::pair<std::string, std::string>>;

struct Batch {
  std::vector<std::int64_t> notes;
  std::string kind, key;  // of the last
  std::set<std::string> tasks, keys;
  Pairs finished, runs;
};

Batch read_batch(Ends& ends, const Batch& before, std::int64_t most) {
  Batch out;
  const auto rows =
      ends.source.exec(kNotes, Params()
                                   .text(ends.tenant)
                                   .text(before.kind.empty() ? "A" : before.kind)
                                   .text(before.key)
                                   .int8(before.notes.empty() ? 0 : before.notes.back())
                                   .int8(most));
  const int id = rows.column("id"), kind = rows.column("kind"), key = rows.column("key"),
            at = rows.column("at");
  for (int i = 0; i < rows.rows(); ++i) {
    out.notes.push_back(rows.integer(i, id));
    out.kind = rows.text(i, kind);
    out.key = rows.text(i, key);
    if (out.kind == "t") out.tasks.insert(out.key);
    if (out.kind == "k") out.keys.insert(out.key);
    if (out.kind == "f") out.finished.emplace(out.key, rows.text(i, at));
    if (out.kind == "r") out.runs.emplace(out.key, rows.text(i, at));
  }
  return out;
}

std::vector<std::string> list(const std::set<std::string>& values) {
  return {values.begin(), values.end()};
}
std::vector<std::string> firsts(const Pairs& pairs) {
  std::vector<std::string> out;
  for (const auto& pair : pairs) out.push_back(pair.first);
  return out;
}
std::vector<std::string> seconds(const Pairs& pairs) {
  std::vector<std::string> out;
  for (const auto& pair : pairs) out.push_back(pair.second);
  return out;
}

std::string array(const std::vector<std::string>& values, const char* type) {
  return quoted(text_array_literal(values)) + "::" + type + "[]";
}
Array parameter(const std::vector<std::string>& values) {
  Array out(Oid::text, values.size());
  for (const auto& value : values) out.text(value);
  return out;
}

// The rows that are there now. `ended`: of the live tasks, those that are finished now.
struct Present {
  std::string tasks, finished, keys, runs, ended;
};

Present present(const Ends& ends, const Batch& batch) {
  Present out;
  out.tasks = fmt::format("SELECT * FROM postern.task WHERE id = ANY({}) AND tenant = {}",
                          array(list(batch.tasks), "uuid"), quoted(ends.tenant));
  // Since the move began, less an hour for transactions that were under way then.
  out.ended = fmt::format(
      "SELECT f.* FROM unnest({}) n(id) CROSS JOIN LATERAL (SELECT * FROM postern.task_finished k "
      "WHERE k.id = n.id AND k.tenant = {} AND k.finished_at >= (SELECT begun_at - interval '1 "
      "hour' FROM postern.move WHERE tenant = {}) OFFSET 0) f",
      array(list(batch.tasks), "uuid"), quoted(ends.tenant), quoted(ends.tenant));
  out.finished = fmt::format(
      "SELECT f.* FROM unnest({}, {}) n(id, at) CROSS JOIN LATERAL (SELECT * FROM "
      "postern.task_finished k WHERE k.id = n.id AND k.finished_at = n.at AND k.tenant = {} OFFSET "
      "0) f",
      array(firsts(batch.finished), "uuid"), array(seconds(batch.finished), "timestamptz"),
      quoted(ends.tenant));
  out.keys =
      fmt::format("SELECT * FROM postern.idempotency_key WHERE tenant = {} AND key = ANY({})",
                  quoted(ends.tenant), array(list(batch.keys), "text"));
  out.runs = fmt::format(
      "SELECT r.* FROM unnest({}, {}) n(name, at) JOIN postern.schedule_run r ON r.tenant = {} AND "
      "r.schedule = n.name AND r.nominal_time = n.at",
      array(firsts(batch.runs), "text"), array(seconds(batch.runs), "timestamptz"),
      quoted(ends.tenant));
  return out;
}

// The partitions that these need, as (retention, day).
Pairs days_of(Ends& ends, const std::string& finished) {
  const auto sql =
      "SELECT DISTINCT retention, (finished_at AT TIME ZONE 'UTC')::date::text FROM (" + finished +
      ") f WHERE isfinite(finished_at)";
  const auto rows = ends.source.exec({"", sql.c_str()});
  Pairs out;
  for (int i = 0; i < rows.rows(); ++i) out.emplace(rows.text(i, 0), rows.text(i, 1));
  return out;
}

void copy_batch(Ends& ends, const Batch& batch) {
  const auto rows = present(ends, batch);
  const auto days = batch.finished.empty() ? Pairs() : days_of(ends, rows.finished);
  for (const auto& [retention, day] : days) hold_day(ends, retention, day);
  const auto copy = [&ends](const std::string& select, const std::string& table) {
    limit(ends);
    copy_rows(ends.source, "SELECT " + ends.columns(table) + " FROM (" + select + ") t",
              ends.target, ends.into(table));
  };
  Transaction arriving(ends.target);
  for (const auto& [retention, day] : days) hold_day(ends, retention, day);
  limit(ends);
  ends.target.exec(kForgetRows, Params()
                                    .text(ends.tenant)
                                    .array(parameter(list(batch.tasks)))
                                    .array(parameter(firsts(batch.finished)))
                                    .array(parameter(seconds(batch.finished)))
                                    .array(parameter(list(batch.keys)))
                                    .array(parameter(firsts(batch.runs)))
                                    .array(parameter(seconds(batch.runs))));
  if (!batch.tasks.empty()) {
    copy(rows.tasks, "task");
    copy_leases(ends, rows.tasks);
  }
  if (!batch.finished.empty()) copy(rows.finished, "task_finished");
  if (!batch.keys.empty()) copy(rows.keys, "idempotency_key");
  if (!batch.runs.empty()) copy(rows.runs, "schedule_run");
  arriving.commit();
}

}  // namespace

std::int64_t noted_changes(Ends& ends, std::int64_t most) {
  return ends.source.exec(kCount, Params().text(ends.tenant).int8(most)).integer(0, 0);
}

std::vector<std::int64_t> copy_changes(Ends& ends, std::int64_t most) {
  std::vector<std::int64_t> notes;
  std::vector<Batch> batches;
  while (static_cast<std::int64_t>(notes.size()) < most) {
    limit(ends);
    auto batch =
        read_batch(ends, batches.empty() ? Batch() : batches.back(), std::min(kBatch, most));
    if (batch.notes.empty()) break;
    copy_batch(ends, batch);
    notes.insert(notes.end(), batch.notes.begin(), batch.notes.end());
    batches.push_back(std::move(batch));
  }
  // Once all is forgotten. A task that ends has a note of its finished row, and one of its live
  // row, which comes later in the order of kinds, perhaps in another call: forgetting that row
  // takes the edges away that came with the finished one, so they are copied again.
  for (const auto& batch : batches) {
    limit(ends);
    const auto rows = present(ends, batch);
    if (!batch.finished.empty()) copy_edges(ends, rows.finished, false);
    if (!batch.tasks.empty()) {
      copy_edges(ends, rows.ended, false);
      copy_edges(ends, rows.tasks, true);
    }
  }
  return notes;
}

void forget_changes(Ends& ends, const std::vector<std::int64_t>& notes) {
  if (notes.empty()) return;
  limit(ends);
  const auto counted = ends.target.exec(kRound, Params().text(ends.tenant));
  if (counted.rows() == 0)
    throw MoveRefused(Refusal::later, "this move was undone by another command");
  const std::int64_t rounds = counted.integer(0, 0);
  for (std::size_t i = 0; i < notes.size(); i += 10'000) {
    Array ids(Oid::int8);
    for (std::size_t j = i; j < std::min(notes.size(), i + 10'000); ++j) ids.int8(notes[j]);
    ends.source.exec(kForgetNotes, Params().array(ids).text(ends.tenant).int8(rounds));
  }
}

std::int64_t catch_up(Ends& ends, std::int64_t most) {
  std::vector<std::int64_t> notes;
  {
    const Snapshot snapshot(ends.source);
    notes = copy_changes(ends, most);
  }
  forget_changes(ends, notes);
  return static_cast<std::int64_t>(notes.size());
}

}  // namespace postern::db
