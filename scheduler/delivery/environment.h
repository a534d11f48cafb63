// What a scheduler has of the machine that it runs on: time and chance. Tests say what both are, so
// that what it decides can be repeated.
#pragma once

#include <cstdint>

#include "core/base/uuid.h"
#include "core/model/ids.h"
#include "core/time/time.h"

namespace postern::scheduler {

// Confined to one thread.
class Environment {
 public:
  virtual ~Environment() = default;

  virtual Monotonic now() = 0;
  // See core/program/clock.h.
  virtual Time wall_clock() = 0;
  // A random one that nobody can guess.
  virtual Uuid new_uuid() = 0;
  virtual TaskId new_task_id() = 0;
  // For a generator whose numbers need not be secret.
  virtual std::uint64_t seed() = 0;
};

// The machine itself.
Environment& machine();

}  // namespace postern::scheduler
