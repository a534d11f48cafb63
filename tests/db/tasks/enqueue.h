// A database with a login that may enqueue, and nothing else.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "db/engine/routing.h"
#include "tests/support/database.h"

namespace postern::test {

class Enqueue : public ::testing::Test {
 protected:
  Enqueue() {
    owner_.script(
        "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation "
        "THEN NULL; END $$;"
        "GRANT postern_enqueue TO app;"
        "GRANT CONNECT ON DATABASE " +
        database_.name() + " TO app");
    app_.emplace(database_.connect("app"));
  }
  TaskId enqueue(const char* arguments) {
    return app_->exec({"", ("SELECT postern.enqueue(" + std::string(arguments) + ")").c_str()})
        .uuid(0, 0);
  }
  std::vector<Task> unrouted() {
    return db::unrouted_from(scheduler_.exec(db::kUnrouted, db::unrouted_params()));
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  std::optional<db::PgConnection> app_;
};

}  // namespace postern::test
