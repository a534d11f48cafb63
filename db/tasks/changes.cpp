#include "db/tasks/changes.h"

#include <fmt/format.h>

#include "core/base/headers_json.h"
#include "core/wire/attempts.h"
#include "db/tasks/columns.h"
#include "db/tasks/transition.h"

namespace postern::db {
namespace {

constexpr Statement kChange{"change_task",
                            "SELECT postern.change_task($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"};

}  // namespace

std::optional<Transition> change_task(PgConnection& connection, std::string_view tenant,
                                      const TaskId& id, const Change& change, bool blocked_too) {
  Params params;
  params.text(tenant).uuid(id).time(not_finished_before(id)).boolean(blocked_too);
  params.time(change.run_at);
  change.delay ? params.int8(Milliseconds(*change.delay).count()) : params.null(Oid::int8);
  change.priority ? params.int2(*change.priority) : params.null(Oid::int2);
  params.text_or_null(change.body_form ? name(*change.body_form) : "");
  change.body ? params.bytea(*change.body) : params.null(Oid::bytea);
  params.text_or_null(change.content_type);
  const auto row = connection.exec(kChange, params);
  if (!row.is_null(0, 0) && row.text(0, 0) == "late") return std::nullopt;
  return transition_from(Value(row, 0, 0));
}

namespace {

std::string leased_sql(std::string_view table) {
  return fmt::format(
      "SELECT {}, lease, now() AS now FROM postern.{} WHERE id = $1 AND lease IS NOT NULL",
      task_columns(Body::left_out), table);
}

const BuiltStatement kLeased{"leased_task", leased_sql("task_live")};
const BuiltStatement kWasLeased{"was_leased_task",
                                leased_sql("task_finished") + " AND finished_at >= $2"};

std::optional<Leased> leased_from(const PgResult& row) {
  if (row.rows() == 0) return std::nullopt;
  return Leased{TaskReader(row)(0), row.uuid(0, row.column("lease")),
                row.time(0, row.column("claimed_at")), row.time(0, row.column("now"))};
}

}  // namespace

std::optional<Leased> leased_task(PgConnection& connection, const TaskId& id) {
  const auto active = connection.exec(kLeased, Params().uuid(id));
  if (auto leased = leased_from(active)) return leased;
  return leased_from(connection.exec(kWasLeased, Params().uuid(id).time(not_finished_before(id))));
}

namespace {

constexpr Statement kSettleDeferred{"settle_deferred", R"sql(
  SELECT postern.settle_deferred($1, $2, $3, $4, $5, $6, $7, $8, $9::text::json, $10, $11, $12, $13, $14, $15))sql"};

}  // namespace

Transition settle_deferred(PgConnection& connection, std::string_view tenant, const TaskId& id,
                           const Uuid& lease, const Uuid& instance, const Told& told) {
  Params params;
  params.text(tenant).uuid(id).time(not_finished_before(id));
  params.uuid(lease).uuid(instance).text(name(told.state)).text(name(told.reason));
  params.int8(told.delay.count());
  params.text_or_null(told.attempt ? attempt_json(*told.attempt) : "");
  params.text_or_null(told.attempt ? told.attempt->status : "");
  params.text_or_null(told.error);
  if (told.result) {
    params.int4(told.result->status);
    params.int4(int4_ms(told.result->duration));
    params.text_or_null(headers_json(told.result->headers)).bytea(told.result->body);
  } else {
    params.null(Oid::int4).null(Oid::int4).null(Oid::text).null(Oid::bytea);
  }
  return transition_from(Value(connection.exec(kSettleDeferred, params), 0, 0));
}

}  // namespace postern::db
