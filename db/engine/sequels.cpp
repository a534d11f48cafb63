#include "db/engine/sequels.h"

#include "db/tasks/columns.h"

namespace postern::db {

const BuiltStatement kSequels{"sequels", R"sql(
  SELECT s.id AS sequel, s.task AS of_task, f.*
    FROM (SELECT id, task, callback FROM postern.sequel ORDER BY id LIMIT 500) s
    LEFT JOIN LATERAL (
      SELECT )sql" + task_columns(Body::left_out) +
                                             R"sql(, 0 AS place
        FROM postern.task_finished
       WHERE s.callback AND id = s.task
         AND finished_at >= postern.finished_since(s.task)) f ON true
   ORDER BY s.id)sql"};

std::vector<Sequel> sequels_from(const PgResult& result) {
  std::vector<Sequel> out;
  out.reserve(static_cast<std::size_t>(result.rows()));
  const TaskReader read_task(result);
  const int sequel_id = result.column("sequel"), of_task = result.column("of_task"),
            ended = result.column("id");
  for (int i = 0; i < result.rows(); ++i) {
    Sequel sequel;
    sequel.id = result.integer(i, sequel_id);
    sequel.task = result.uuid(i, of_task);
    if (!result.is_null(i, ended)) sequel.ended = read_task(i);
    out.push_back(std::move(sequel));
  }
  return out;
}

namespace {

// So many tasks are looked at in one statement, with the lock that all wakes share.
constexpr char kWoken[] = R"sql(
  WITH woken AS MATERIALIZED (SELECT * FROM postern.wake($1, $2, 500)),
  taken AS (
    DELETE FROM postern.sequel WHERE id = ANY((SELECT done FROM woken)::bigint[])
    RETURNING id))sql";
constexpr char kTold[] = R"sql(
  SELECT done IS NOT NULL AS ours, array_to_string(lanes, ',') AS lanes, later, more)sql";

}  // namespace

const BuiltStatement kWake{"wake", std::string(kWoken) + kTold + " FROM woken"};

const BuiltStatement kFollow{"follow", std::string(kWoken) + R"sql(,
  ours AS MATERIALIZED (
    SELECT callback FROM unnest($3::uuid[], $4::bigint[]) AS c(callback, sequel)
     WHERE sequel IN (SELECT id FROM taken)),)sql" +
                                           insertion_sql("id IN (SELECT callback FROM ours)", 5) +
                                           kTold + ", " + kTellSchedulers + " FROM woken"};

Params wake_params(const Uuid& instance, std::span<const Sequel> sequels) {
  Array ids(Oid::int8);
  for (const auto& sequel : sequels) ids.int8(sequel.id);
  Params params;
  params.uuid(instance).array(ids);
  return params;
}

Params follow_params(const Uuid& instance, std::span<const Sequel> sequels,
                     std::span<const Callback> callbacks) {
  std::vector<Insertion> batch;
  Array made(Oid::uuid), of(Oid::int8);
  for (const auto& callback : callbacks) {
    batch.push_back({&callback.task, callback.lane});
    made.uuid(callback.task.spec.id);
    of.int8(callback.sequel);
  }
  Params params = wake_params(instance, sequels);
  params.array(made).array(of);
  add_batch(params, batch);
  return params;
}

std::optional<Woken> woken_from(const PgResult& result) {
  if (!result.boolean(0, result.column("ours"))) return std::nullopt;
  return Woken{std::string(result.text(0, result.column("lanes"))),
               result.boolean(0, result.column("later")), result.boolean(0, result.column("more"))};
}

}  // namespace postern::db
