#include "scheduler/delivery/environment.h"

#include <chrono>
#include <random>

#include "core/program/clock.h"
#include "core/program/task_ids.h"

namespace postern::scheduler {
namespace {

class Machine final : public Environment {
 public:
  Monotonic now() override { return std::chrono::steady_clock::now(); }
  Time wall_clock() override { return postern::wall_clock(); }
  Uuid new_uuid() override { return random_uuid(); }
  TaskId new_task_id() override { return postern::new_task_id(); }
  std::uint64_t seed() override { return std::random_device()(); }
};

}  // namespace

Environment& machine() {
  static Machine machine;
  return machine;
}

}  // namespace postern::scheduler
