#include "db/move/whole.h"

#include <fmt/format.h>

#include "core/base/uuid.h"
#include "db/move/state.h"
#include "db/pg/copy.h"

namespace postern::db {
namespace {

// Each is counted no further than to what would be too much.
constexpr Statement kCount{"", R"sql(
  SELECT (SELECT count(*) FROM (SELECT FROM postern.queue WHERE tenant = $1 LIMIT 1000000) q)
       + (SELECT count(*) FROM (SELECT FROM postern.endpoint WHERE tenant = $1 LIMIT 1000000) e)
       + (SELECT count(*) FROM (SELECT FROM postern.schedule WHERE tenant = $1 LIMIT 1000000) s)
       + (SELECT count(*) FROM (SELECT FROM postern.counter WHERE tenant = $1 GROUP BY queue, name LIMIT 1000000) c)
       + (SELECT count(*) FROM (SELECT FROM postern.sequel WHERE tenant = $1 LIMIT 1000000) l)
       + (SELECT count(*) FROM (SELECT FROM postern.api_key WHERE tenant = $1 LIMIT 1000000) k)
       + (SELECT count(*) FROM (SELECT FROM postern.queue_mark WHERE tenant = $1 LIMIT 1000000) m)
       + (SELECT count(*) FROM (SELECT FROM postern.queue_minute
                                 WHERE tenant = $1 AND minute >= $2::text::timestamptz LIMIT 1000000) q)
       + (SELECT count(*) FROM (SELECT FROM postern.endpoint_minute
                                 WHERE tenant = $1 AND minute >= $2::text::timestamptz LIMIT 1000000) e))sql"};

constexpr Statement kForget{"", "SELECT postern.move_forget_whole($1, $2::text::timestamptz)"};

constexpr Statement kForgetMinutes{"move_minutes",
                                   "SELECT postern.move_forget_minutes($1, $2::text::timestamptz)"};
constexpr Statement kUntil{"", R"sql(
  SELECT greatest(date_trunc('minute', now()) - interval '2 minutes', $1::text::timestamptz)::text)sql"};
constexpr const char* kMinutes[] = {"queue_minute", "endpoint_minute"};

constexpr Statement kArrived{"move_arrived", R"sql(
  WITH ended AS (
    UPDATE postern.move SET step = 'arrived', updated_at = now()
     WHERE tenant = $1 AND id = $2 AND NOT source AND step = 'copied' RETURNING tenant)
  UPDATE postern.tenant t SET state = 'here', moved_to = NULL, moved_url = NULL, moved_at = NULL, created_at = $3
    FROM ended WHERE t.name = ended.tenant AND t.state = 'arriving')sql"};

}  // namespace

std::string copy_minutes(Ends& ends, const std::string& since) {
  const Snapshot snapshot(ends.source);
  const std::string until(ends.source.exec(kUntil, Params().text(since)).text(0, 0));
  Transaction arriving(ends.target);
  ends.target.exec(kForgetMinutes, Params().text(ends.tenant).text(since));
  for (const std::string table : kMinutes) {
    copy_rows(
        ends.source,
        fmt::format("SELECT {} FROM postern.{} WHERE tenant = {} AND minute >= "
                    "{}::timestamptz AND minute < {}::timestamptz",
                    ends.columns(table), table, quoted(ends.tenant), quoted(since), quoted(until)),
        ends.target, ends.into(table));
  }
  arriving.commit();
  return until;
}

void forget_minutes(Ends& ends) {
  ends.target.exec(kForgetMinutes, Params().text(ends.tenant).text("-infinity"));
}

std::int64_t rows_of_whole(Ends& ends, const std::string& minutes_since) {
  return ends.source.exec(kCount, Params().text(ends.tenant).text(minutes_since)).integer(0, 0);
}

void arrive(Ends& ends, const Uuid& id, const std::string& minutes_since) {
  const std::string of_tenant = " WHERE tenant = " + quoted(ends.tenant);
  const auto copy = [&](const std::string& table, const std::string& from,
                        const std::string& rest) {
    limit(ends);
    copy_rows(ends.source, "SELECT " + ends.columns(table) + " FROM " + from + rest, ends.target,
              ends.into(table));
  };
  const Snapshot snapshot(ends.source);
  Transaction arriving(ends.target);
  limit(ends);
  ends.target.exec(kForget, Params().text(ends.tenant).text(minutes_since));
  for (const char* table : {"tenant_secret", "queue", "endpoint", "schedule", "queue_mark"}) {
    copy(table, std::string("postern.") + table, of_tenant);
  }
  copy("api_key", "postern.move_keys(" + quoted(ends.tenant) + ")", "");
  copy("sequel", "postern.sequel", of_tenant + " ORDER BY id");
  for (const char* table : kMinutes) {
    copy(table, std::string("postern.") + table,
         of_tenant + " AND minute >= " + quoted(minutes_since) + "::timestamptz");
  }
  limit(ends);
  // Under one instance, which is none: the schedulers fold it.
  copy_rows(ends.source,
            fmt::format("SELECT '{}'::uuid, tenant, queue, name, sum(value)::bigint FROM "
                        "postern.counter{} GROUP BY tenant, queue, name",
                        to_uuid(id), of_tenant),
            ends.target, "postern.counter (instance, tenant, queue, name, value)");
  limit(ends);  // also the commit's
  const Time created_at = end_state(ends.source, ends.tenant).created_at;
  const auto arrived =
      ends.target.exec(kArrived, Params().text(ends.tenant).uuid(id).time(created_at));
  if (arrived.affected() == 0)
    throw MoveRefused(Refusal::later, "this move was undone by another command");
  tell_schedulers(ends.target);
  arriving.commit();
}

}  // namespace postern::db
