#include "db/move/bulk.h"

#include <algorithm>

#include <fmt/format.h>

#include "db/pg/copy.h"

namespace postern::db {
namespace {

constexpr int kChunkRows = 5'000;
constexpr int kChunkBytes = 8 << 20;

constexpr Statement kMinutesBefore{"", R"sql(
  SELECT (date_trunc('minute', begun_at) - interval '2 minutes')::text FROM postern.move WHERE tenant = $1)sql"};

constexpr Statement kProgress{"move_progress", R"sql(
  UPDATE postern.move SET place = $3::text[], rows = rows + $4, updated_at = now()
   WHERE tenant = $1 AND id = $2 AND NOT source AND step = 'copying' RETURNING rows)sql"};

constexpr Statement kEdges{"", R"sql(
  INSERT INTO postern.dependency (task, depends_on) SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING)sql"};

Params progress(const Ends& ends, const Uuid& id, const std::vector<std::string>& place,
                std::int64_t rows) {
  Array places(Oid::text);
  for (const auto& each : place) places.text(each);
  return std::move(Params().text(ends.tenant).uuid(id).array(places).int8(rows));
}

// The last row of the next chunk; empty: there are no more.
std::vector<std::string> chunk_end(PgConnection& source, const Section& section,
                                   const std::vector<std::string>& from) {
  std::string order, shown;
  for (const auto& key : section.keys) {
    order += (order.empty() ? "" : ", ") + key.order;
    shown += ", " + key.shown;
  }
  const auto sql = fmt::format(
      "SELECT ARRAY[{}]::text[] FROM (SELECT t.*, row_number() OVER w AS n, sum({}) OVER w AS "
      "total FROM (SELECT * FROM postern.{}{} ORDER BY {} LIMIT {}) t WINDOW w AS (ORDER BY {} "
      "ROWS UNBOUNDED PRECEDING)) c WHERE n = 1 OR total <= {} ORDER BY n DESC LIMIT 1",
      shown.substr(2), section.width, section.table, rows_between(section, from, {}), order,
      kChunkRows, order, kChunkBytes);
  const auto rows = source.exec({"", sql.c_str()});
  return rows.rows() == 0 ? std::vector<std::string>() : rows.text_array(0, 0);
}

std::vector<std::string> place_of(const Section& section, const std::vector<std::string>& at) {
  auto place = section.name;
  place.insert(place.end(), at.begin(), at.end());
  return place;
}

// A section's part of a place, and what follows it: where in that section.
bool begins_with(const std::vector<std::string>& place, const std::vector<std::string>& name) {
  return place.size() >= name.size() && std::equal(name.begin(), name.end(), place.begin());
}

}  // namespace

std::int64_t copy_leases(Ends& ends, const std::string& tasks) {
  return copy_rows(ends.source,
                   "SELECT " + ends.columns("lease") + " FROM (SELECT l.* FROM (" + tasks +
                       ") t CROSS JOIN LATERAL (SELECT * FROM postern.lease k WHERE k.task = t.id "
                       "OFFSET 0) l) l",
                   ends.target, ends.into("lease"));
}

void copy_edges(Ends& ends, const std::string& tasks, bool live) {
  const auto sql = "SELECT d.task, d.depends_on FROM (" + tasks +
                   ") t CROSS JOIN LATERAL (SELECT DISTINCT u FROM unnest(t.dependencies) u) n "
                   "CROSS JOIN LATERAL (SELECT * FROM postern.dependency k WHERE k.depends_on = "
                   "n.u AND k.task = t.id OFFSET 0) d" +
                   (live ? "" : " WHERE t.reason = 'unreachable'");
  const auto rows = ends.source.exec({"", sql.c_str()});
  if (rows.rows() == 0) return;
  Array task(Oid::uuid), depends_on(Oid::uuid);
  for (int i = 0; i < rows.rows(); ++i) {
    task.uuid(rows.uuid(i, 0));
    depends_on.uuid(rows.uuid(i, 1));
  }
  ends.target.exec(kEdges, Params().array(task).array(depends_on));
}

std::string minutes_before(PgConnection& source, const std::string& tenant) {
  return std::string(source.exec(kMinutesBefore, Params().text(tenant)).text(0, 0));
}

void copy_sections(Ends& ends, const Uuid& id,
                   const std::function<void(const std::string&, std::int64_t)>& told) {
  const auto state = end_state(ends.target, ends.tenant);
  const auto from_place = state.move ? state.move->place : std::vector<std::string>();
  for (const auto& section : sections(ends, minutes_before(ends.source, ends.tenant))) {
    std::vector<std::string> at;
    if (begins_with(from_place, section.name)) {
      at.assign(from_place.begin() + static_cast<std::ptrdiff_t>(section.name.size()),
                from_place.end());
    } else if (section.name < from_place) {
      continue;
    }
    while (true) {
      std::int64_t rows = 0;
      if (!section.day.empty()) hold_day(ends, section.retention, section.day);
      const Snapshot snapshot(ends.source);
      const auto to = chunk_end(ends.source, section, at);
      if (to.empty()) break;
      const auto chunk = "SELECT * FROM postern." + section.table + rows_between(section, at, to);
      Transaction arriving(ends.target);
      if (!section.day.empty()) hold_day(ends, section.retention, section.day);
      rows += copy_rows(ends.source,
                        "SELECT " + ends.columns(section.table) + " FROM (" + chunk + ") t",
                        ends.target, ends.into(section.table));
      const bool live = section.table == "task";
      if (live) rows += copy_leases(ends, chunk);
      if (live || section.table == "task_finished") copy_edges(ends, chunk, live);
      at = to;
      const auto so_far =
          ends.target.exec(kProgress, progress(ends, id, place_of(section, at), rows));
      if (so_far.rows() == 0)
        throw MoveRefused(Refusal::later, "this move was undone by another command");
      arriving.commit();
      told(fmt::format("{}", fmt::join(section.name, " ")), so_far.integer(0, 0));
    }
  }
}

}  // namespace postern::db
