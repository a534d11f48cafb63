// The claims whose answer was lost with the connection. Their tasks may be ours without our knowing
// them. Pure.
#pragma once

#include <map>
#include <vector>

#include "core/base/uuid.h"
#include "core/time/time.h"

namespace postern::scheduler {

// Confined to one thread.
class LostClaims {
 public:
  // Whether the claim under `lease` took effect is not known. Its commit may be under way still, so
  // it has to be looked for more than once.
  void add(const Uuid& lease, Monotonic now);

  // Those that may still have tasks to be found.
  std::vector<Uuid> leases() const;

  // Somebody looked for all of them at `begun`, and saw to what was there: those that cannot have
  // appeared after that are forgotten.
  void looked(Monotonic begun);

 private:
  std::map<Uuid, Monotonic> until_;  // it may appear until then
};

}  // namespace postern::scheduler
