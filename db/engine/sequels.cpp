#include "db/engine/sequels.h"

#include "db/tasks/rows.h"

namespace postern::db {

const Statement kSequels{"sequels", R"sql(
  SELECT s.id, s.task, f.*
    FROM (SELECT id, task, callback FROM postern.sequel ORDER BY id LIMIT 500) s
    LEFT JOIN LATERAL (
      SELECT )sql" POSTERN_TASK_COLUMNS("NULL::bytea") R"sql(, 0 AS place
        FROM postern.task_finished
       WHERE s.callback AND id = s.task
         AND finished_at >= postern.finished_since(s.task)) f ON true
   ORDER BY s.id)sql"};

std::vector<Sequel> sequels_from(const PgResult& result) {
  std::vector<Sequel> out;
  out.reserve(static_cast<std::size_t>(result.rows()));
  for (int i = 0; i < result.rows(); ++i) {
    Sequel sequel;
    sequel.id = result.integer(i, 0);
    sequel.task = result.uuid(i, 1);
    if (!result.is_null(i, 2)) sequel.ended = task_from(result, i, 2);
    out.push_back(std::move(sequel));
  }
  return out;
}

const Statement kFollow{"follow", R"sql(
  WITH woken AS MATERIALIZED (SELECT postern.wake($1, $33) AS tasks),
  taken AS (
    DELETE FROM postern.sequel WHERE id = ANY($34) AND (SELECT tasks FROM woken) IS NOT NULL
    RETURNING id),
  ours AS MATERIALIZED (
    SELECT callback FROM unnest($35::uuid[], $36::bigint[]) AS c(callback, sequel)
     WHERE sequel IN (SELECT id FROM taken)),)sql" POSTERN_INSERTED(
                                      "id IN (SELECT callback FROM ours)") R"sql(
  SELECT tasks::bigint, )sql" POSTERN_TOLD " FROM woken"};

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
  auto params = insertion_params(instance, batch);
  params.array(tasks).array(taken).array(made).array(of);
  return params;
}

std::optional<std::int64_t> followed_from(const PgResult& result) {
  return result.integer_or_null(0, 0);
}

}  // namespace postern::db
