// Many tasks in one request: each by itself, or all or none.
#pragma once

#include <functional>
#include <vector>

#include "core/base/error.h"
#include "core/base/uuid.h"
#include "core/model/creation.h"
#include "core/model/task.h"
#include "db/pg/pool.h"
#include "fcgi/auth/caller.h"
#include "fcgi/intake/intake.h"
#include "fcgi/server/http.h"

namespace postern {

class CreationApi;

// Thread-safe.
class BatchApi {
 public:
  static constexpr std::size_t kMaxTasks = 1'000;

  // All must outlive it.
  BatchApi(CreationApi& creation, db::Pool& pool, Intake& intake, const Uuid& instance)
      : creation_(creation), pool_(pool), intake_(intake), instance_(instance) {}

  // Whether so many may be asked for in this way. Errors: "tasks_required", "tasks_too_many",
  // "idempotency_key_invalid": there is none for a batch.
  static Result<void> check(const HttpRequest& request, std::size_t tasks);

  // What is asked for, in the order of the request; an error where an item could not even be read.
  using Wanted = std::vector<Result<Creation>>;

  // Creates those it can, and calls `done` once, as CreationApi::create does, with what became of
  // each, in the same order.
  using Done = std::function<void(std::vector<Result<Task>>)>;
  void create_each(const Caller& caller, const HttpRequest& request, Wanted wanted, Done done);

  // Creates all, in one transaction, or none. The error is the first item's that cannot be, its
  // field being "tasks[3].priority"; or `unavailable` when it is not known what became of the
  // commit.
  Result<std::vector<Task>> create_all(const Caller& caller, const HttpRequest& request,
                                       Wanted wanted);

 private:
  struct Batch;
  Result<Time> write(const Batch& batch);
  Result<Time> look_up(const Batch& batch);

  CreationApi& creation_;
  db::Pool& pool_;
  Intake& intake_;
  const Uuid instance_;
};

}  // namespace postern
