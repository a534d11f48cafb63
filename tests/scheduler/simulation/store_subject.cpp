#include "tests/scheduler/simulation/store_subject.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>

#include <fmt/format.h>

#include "core/wire/creation_json.h"
#include "db/engine/gauges.h"
#include "db/engine/heartbeat.h"
#include "db/engine/pg_store.h"
#include "db/tasks/tasks.h"
#include "tests/scheduler/simulation/line.h"
#include "tests/support/database.h"
#include "tests/support/tasks.h"

namespace postern::simulation {
namespace {

using namespace std::chrono_literals;

constexpr char kTenant[] = "default";

class Model final : public Subject {
 public:
  ~Model() override { EXPECT_EQ(world_.violation(), ""); }

  db::Store& store() override { return *line_; }
  void drive(const std::function<bool()>& answered) override {
    while (!answered() && world_.step()) line_->drive();
  }
  Time now() override { return world_.database_clock(); }
  void pass(Seconds time) override { world_.jump(time); }

  void insert(const NewTask& task) override {
    database_.insert(task, now());
    checker_.created(task.spec, database_.tasks().at(task.spec.id).run_at);
  }
  bool cancel(const TaskId& id) override {
    const bool done = database_.cancel(id);
    if (done) checker_.cancelled(id);
    return done;
  }
  void set_queue(const std::string& name, const Limits& limits) override {
    database_.set_queue({kTenant, name}, limits);
    checker_.limits({kTenant, name}, limits);
  }
  void set_endpoint(const std::string& name, const std::string& url,
                    const Limits& limits) override {
    database_.set_endpoint({kTenant, name}, url, limits);
  }
  void set_schedule(const Schedule& schedule, const std::string& tenant) override {
    database_.set_schedule(tenant, schedule);
  }
  void measure() override {}
  void pause(bool paused) override { database_.pause(paused); }
  void leave(const Uuid& instance) override { database_.leave(instance); }

  Seen see(const TaskId& id) override {
    if (const auto over = database_.finished().find(id); over != database_.finished().end()) {
      return {over->second.state, over->second.reason, over->second.attempt};
    }
    const auto& row = database_.tasks().at(id);
    const bool leased = database_.leases().contains(id);
    return {leased ? State::active : row.state, Reason::none, row.attempt + (leased ? 1 : 0)};
  }

 private:
  World world_{1};
  ModelDatabase database_;
  Checker checker_{world_, database_};
  std::shared_ptr<Line> line_ =
      std::make_shared<Line>(world_, database_, checker_, 0, LineFaults{}, [] {});
};

class PostgreSQL final : public Subject {
 public:
  PostgreSQL() {
    drive([this] { return channel_.connected(); });
  }

  db::Store& store() override { return store_; }
  void drive(const std::function<bool()>& answered) override {
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (!answered() && std::chrono::steady_clock::now() < limit) {
      channel_.drive(std::chrono::steady_clock::now());
      if (answered()) return;
      const auto events = static_cast<short>(POLLIN | (channel_.wants_write() ? POLLOUT : 0));
      pollfd fd{channel_.socket(), events, 0};
      poll(&fd, 1, 5);
    }
  }
  Time now() override { return owner_.exec({"", "SELECT now()"}).time(0, 0); }

  void pass(Seconds time) override {
    const auto older = [](std::string_view table, std::initializer_list<const char*> columns) {
      std::string sql;
      for (const char* column : columns) {
        sql += fmt::format("{}{} = {} - p.time", sql.empty() ? "" : ", ", column, column);
      }
      return fmt::format("UPDATE postern.{} SET {} FROM passed p;", table, sql);
    };
    owner_.script(fmt::format("CREATE TEMP TABLE passed AS SELECT interval '{} seconds' AS time;",
                              time.count()) +
                  older("task", {"run_at", "deadline", "created_at"}) +
                  older("lease", {"claimed_at", "until"}) +
                  older("schedule", {"next_at", "created_at", "updated_at"}) +
                  older("queue", {"rate_at"}) + older("endpoint", {"rate_at"}) +
                  "DROP TABLE passed");
  }

  void insert(const NewTask& task) override { postern::test::insert(api_, {task}); }
  bool cancel(const TaskId& id) override {
    return db::cancel_task(api_, kTenant, id, Uuid{}).kind == db::Transition::Kind::done;
  }
  void set_queue(const std::string& name, const Limits& limits) override {
    set("queue", name, "", "", "max_concurrent", limits);
  }
  void set_endpoint(const std::string& name, const std::string& url,
                    const Limits& limits) override {
    set("endpoint", name, ", url", ", '" + url + "'", "max_in_flight", limits);
  }
  void set_schedule(const Schedule& schedule, const std::string& tenant) override {
    owner_.exec({"", "INSERT INTO postern.tenant (name) VALUES ($1) ON CONFLICT DO NOTHING"},
                db::Params().text(tenant));
    owner_.exec({"",
                 "INSERT INTO postern.schedule (tenant, name, spec, interval_seconds, queue, "
                 "task, overlap, next_at, created_at, updated_at) "
                 "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"},
                db::Params()
                    .text(tenant)
                    .text(schedule.name)
                    .text(schedule.spec)
                    .int8(schedule.interval->count())
                    .text(schedule.task.queue)
                    .text(R"({"queue":"q","url":"http://receiver.test/","priority":50})")
                    .text(name(schedule.overlap))
                    .time(*schedule.next_at)
                    .time(schedule.created_at)
                    .time(schedule.updated_at));
  }
  void measure() override {
    auto scheduler = database_.connect("postern_scheduler");
    scheduler.exec(db::kMeasureQueues, db::measure_queues_params(Milliseconds{0}));
  }
  void pause(bool paused) override {
    owner_.script(paused ? "INSERT INTO postern.setting VALUES ('paused', 'true')"
                         : "DELETE FROM postern.setting WHERE name = 'paused'");
  }
  void leave(const Uuid& instance) override { owner_.exec(db::kLeave, db::leave_params(instance)); }

  Seen see(const TaskId& id) override {
    const auto task = db::get_task(owner_, kTenant, id);
    if (!task) throw std::runtime_error("no such task");
    return {task->state, task->reason, task->attempt};
  }

 private:
  void set(const char* table, const std::string& name, const char* columns,
           const std::string& values, const char* most, const Limits& limits) {
    const auto number = [](const std::optional<std::int64_t>& value) {
      return value ? std::to_string(*value) : std::string("NULL");
    };
    std::optional<std::int64_t> count, burst;
    std::string period = "NULL";
    if (limits.rate) {
      count = limits.rate->count;
      burst = limits.rate->burst;
      period = fmt::format("interval '{} seconds'", limits.rate->period.count());
    }
    const auto timeout = limits.timeout ? std::to_string(limits.timeout->count())
                         : std::string_view(table) == "queue" ? std::string("30000")
                                                              : std::string("NULL");
    owner_.script(fmt::format(
        "DELETE FROM postern.{0} WHERE name = '{1}'; "
        "INSERT INTO postern.{0} (tenant, name, {2}, rate_count, rate_period, rate_burst, paused, "
        "timeout_ms{3}) VALUES ('default', '{1}', {4}, {5}, {6}, {7}, {8}, {9}{10})",
        table, name, most, columns, number(limits.most_active), number(count), period,
        number(burst), limits.paused, timeout, values));
  }

  postern::test::Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection api_ = database_.connect("postern_api");
  db::Channel channel_{database_.options("postern_scheduler"), ""};
  db::PgStore store_{channel_};
};

}  // namespace

std::unique_ptr<Subject> make_model() { return std::make_unique<Model>(); }
std::unique_ptr<Subject> make_postgresql() { return std::make_unique<PostgreSQL>(); }

}  // namespace postern::simulation
