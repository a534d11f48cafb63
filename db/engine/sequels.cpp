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

const BuiltStatement kFollow{"follow", R"sql(
  WITH woken AS MATERIALIZED (SELECT postern.wake($1, $2) AS tasks),
  taken AS (
    DELETE FROM postern.sequel WHERE id = ANY($3) AND (SELECT tasks FROM woken) IS NOT NULL
    RETURNING id),
  ours AS MATERIALIZED (
    SELECT callback FROM unnest($4::uuid[], $5::bigint[]) AS c(callback, sequel)
     WHERE sequel IN (SELECT id FROM taken)),)sql" +
                                           insertion_sql("id IN (SELECT callback FROM ours)", 6) +
                                           R"sql(
  SELECT tasks::bigint, )sql" + kTellSchedulers +
                                           " FROM woken"};

Params follow_params(const Uuid& instance, std::span<const Sequel> sequels,
                     std::span<const Callback> callbacks) {
  std::vector<Insertion> batch;
  Array tasks(Oid::uuid), taken(Oid::int8), made(Oid::uuid), of(Oid::int8);
  for (const auto& sequel : sequels) {
    tasks.uuid(sequel.task);
    taken.int8(sequel.id);
  }
  for (const auto& callback : callbacks) {
    batch.push_back({&callback.task, callback.lane});
    made.uuid(callback.task.spec.id);
    of.int8(callback.sequel);
  }
  Params params;
  params.uuid(instance).array(tasks).array(taken).array(made).array(of);
  add_batch(params, batch);
  return params;
}

std::optional<std::int64_t> followed_from(const PgResult& result) {
  return result.integer_or_null(0, result.column("tasks"));
}

}  // namespace postern::db
