#include "db/engine/sequels.h"

#include "db/engine/turns.h"
#include "db/tasks/columns.h"

namespace postern::db {

// `width`: about what a callback tells of the task, besides its result.
const BuiltStatement kSequels{"sequels", R"sql(
  WITH RECURSIVE)sql" + turns_sql("postern.sequel s WHERE", "s.id", 10) +
                                             R"sql(,
  shares AS MATERIALIZED (SELECT count(*) AS of FROM turns),
  listed AS (
    SELECT t.place, t.tenant AS of_tenant, s.id AS sequel, s.task AS of_task, f.*,
           sum(f.width) OVER (PARTITION BY t.tenant ORDER BY s.id) - f.width AS before
      FROM turns t CROSS JOIN LATERAL (
        SELECT q.id, q.task, q.callback FROM postern.sequel q
         WHERE q.tenant = t.tenant ORDER BY q.id LIMIT greatest(1, $2 / (SELECT of FROM shares))) s
      LEFT JOIN LATERAL (
        SELECT )sql" + task_columns(Body::left_out) +
                                             R"sql(, coalesce(octet_length(result_body), 0)
               + coalesce(octet_length(result_headers), 0) + octet_length(attempts::text) AS width
          FROM postern.task_finished
         WHERE s.callback AND id = s.task
           AND finished_at >= postern.finished_since(s.task)) f ON true)
  SELECT * FROM listed
   WHERE before IS NULL OR before < 4194304 / (SELECT of FROM shares)
   ORDER BY place, of_tenant, sequel)sql"};

Params sequels_params(std::string_view behind, int most) {
  Params params;
  params.text(behind).int8(most);
  return params;
}

Sequels sequels_from(const PgResult& result) {
  Sequels out;
  out.sequels.reserve(static_cast<std::size_t>(result.rows()));
  const TaskReader read_task(result);
  const int sequel_id = result.column("sequel"), of_task = result.column("of_task"),
            ended = result.column("id");
  for (int i = 0; i < result.rows(); ++i) {
    Sequel sequel;
    sequel.id = result.integer(i, sequel_id);
    sequel.task = result.uuid(i, of_task);
    if (!result.is_null(i, ended)) sequel.ended = read_task(i);
    out.sequels.push_back(std::move(sequel));
  }
  if (result.rows() > 0) {
    out.tenant = result.text(result.rows() - 1, result.column("of_tenant"));
  }
  return out;
}

namespace {

// With the lock that all wakes share.
constexpr char kWoken[] = R"sql(
  WITH woken AS MATERIALIZED (SELECT * FROM postern.wake($1, $2, $3)),
  taken AS (
    DELETE FROM postern.sequel WHERE id = ANY((SELECT done FROM woken)::bigint[])
    RETURNING id))sql";
constexpr char kTold[] = R"sql(
  SELECT done IS NOT NULL AS ours, array_to_string(lanes, ',') AS lanes, later, busy)sql";

}  // namespace

const BuiltStatement kWake{"wake", std::string(kWoken) + kTold + " FROM woken"};

const BuiltStatement kFollow{"follow", std::string(kWoken) + R"sql(,
  ours AS MATERIALIZED (
    SELECT callback FROM unnest($4::uuid[], $5::bigint[]) AS c(callback, sequel)
     WHERE sequel IN (SELECT id FROM taken)),)sql" +
                                           insertion_sql("id IN (SELECT callback FROM ours)", 6) +
                                           kTold + ", " + kTellSchedulers + " FROM woken"};

Params wake_params(const Uuid& instance, std::span<const Sequel> sequels, int most) {
  Array ids(Oid::int8);
  for (const auto& sequel : sequels) ids.int8(sequel.id);
  Params params;
  params.uuid(instance).array(ids).int4(most);
  return params;
}

Params follow_params(const Uuid& instance, std::span<const Sequel> sequels,
                     std::span<const Callback> callbacks, int most) {
  std::vector<Insertion> batch;
  Array made(Oid::uuid), of(Oid::int8);
  for (const auto& callback : callbacks) {
    batch.push_back({&callback.task, callback.lane});
    made.uuid(callback.task.spec.id);
    of.int8(callback.sequel);
  }
  Params params = wake_params(instance, sequels, most);
  params.array(made).array(of);
  add_batch(params, batch);
  return params;
}

std::optional<Woken> woken_from(const PgResult& result) {
  if (!result.boolean(0, result.column("ours"))) return std::nullopt;
  return Woken{std::string(result.text(0, result.column("lanes"))),
               result.boolean(0, result.column("later")), result.boolean(0, result.column("busy"))};
}

}  // namespace postern::db
