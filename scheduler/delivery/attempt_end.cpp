#include "scheduler/delivery/attempt_end.h"

#include <chrono>

namespace postern::scheduler {
namespace {

// A failure that takes longer holds its slot long enough to matter.
constexpr std::chrono::seconds kSlow{1};

}  // namespace

Health health(const AttemptEnd& end) {
  switch (end.kind) {
    case HttpResult::Kind::answered:
      if (end.status == 429) return Health::overloaded;
      // A gateway, or Cloudflare (520 to 524), answers for a receiver that does not.
      if ((end.status >= 502 && end.status <= 504) || (end.status >= 520 && end.status <= 524))
        break;
      return Health::well;
    case HttpResult::Kind::egress_denied: return Health::unknown;
    case HttpResult::Kind::timed_out: return Health::overloaded;
    case HttpResult::Kind::name_not_resolved:
    case HttpResult::Kind::not_connected:
    case HttpResult::Kind::broken: break;
  }
  return end.duration >= kSlow ? Health::overloaded : Health::failing;
}

}  // namespace postern::scheduler
