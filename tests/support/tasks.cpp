#include "tests/support/tasks.h"

#include <chrono>

#include "core/base/crypto.h"

namespace postern::test {

NewTask new_task(const std::string& queue) {
  std::array<std::uint8_t, 8> random{};
  random_bytes(random);
  NewTask task;
  const auto now = std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now());
  task.spec.id = make_task_id(now, random);
  task.spec.tenant = "default";
  task.spec.queue = queue;
  task.spec.url = "http://receiver.test/";
  task.spec.body = R"({"n":1})";
  return task;
}

std::int64_t lane_of(const NewTask& task) {
  return lane_id(task.spec.tenant, task.spec.queue, lane_target(task.spec));
}

Time insert(db::PgConnection& connection, const std::vector<NewTask>& tasks) {
  std::vector<db::Insertion> batch;
  for (const auto& task : tasks) batch.push_back({&task, lane_of(task)});
  return db::insert_tasks(connection, Uuid{}, batch);
}

std::vector<db::Claimed> claim(db::PgConnection& connection, int free, const std::string& queue,
                               const Uuid& instance) {
  const std::vector<db::LaneSlots> lanes{{lane_of(new_task(queue)), free}};
  const auto lease = random_uuid();
  return db::claimed_from(
             connection.exec(db::kClaim, db::claim_params(lanes, lease, instance, Seconds{30})),
             lease, Seconds{30})
      .tasks;
}

std::optional<Task> read(db::PgConnection& connection, const TaskId& id) {
  return db::get_task(connection, "default", id);
}

std::int64_t counter(db::PgConnection& connection, const std::string& name) {
  return connection
      .exec({"", "SELECT coalesce(sum(value), 0)::bigint FROM postern.counter WHERE name = $1"},
            db::Params().text(name))
      .integer(0, 0);
}

}  // namespace postern::test
