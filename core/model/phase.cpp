#include "core/model/phase.h"

#include <stdexcept>

namespace postern {
namespace {

Phase phase_of(Reason reason) {
  switch (reason) {
    case Reason::exhausted: return Phase::exhausted;
    case Reason::deadline: return Phase::deadline;
    case Reason::signal_timeout: return Phase::signal_timeout;
    case Reason::terminated: return Phase::terminated;
    case Reason::gone: return Phase::gone;
    case Reason::egress_denied: return Phase::egress_denied;
    case Reason::invalid: return Phase::invalid;
    case Reason::unreachable: return Phase::unreachable;
    case Reason::cancelled: return Phase::cancelled;
    case Reason::queue_purged: return Phase::queue_purged;
    case Reason::queue_deleted: return Phase::queue_deleted;
    case Reason::discarded: return Phase::discarded;
    case Reason::max_age: return Phase::max_age;
    case Reason::corrupt_row: return Phase::corrupt_row;
    case Reason::queue_full: return Phase::queue_full;
    case Reason::quota_exceeded: return Phase::quota_exceeded;
    case Reason::none: break;
  }
  throw std::logic_error("phase_of: a task that is over without a reason");
}

}  // namespace

Phase phase_of(const Task& task) {
  const bool tried = task.attempt > 0;
  switch (task.state) {
    case State::ready: return tried ? Phase::retry : Phase::pending;
    case State::delayed: return tried ? Phase::retry : Phase::delayed;
    case State::blocked: return Phase::blocked;
    case State::active:
      return task.deferred && task.spec.hold.count() > 0 ? Phase::waiting : Phase::active;
    case State::completed: return Phase::completed;
    case State::failed:
    case State::cancelled: return phase_of(task.reason);
  }
  throw std::logic_error("phase_of: not a State");
}

std::string_view name(Phase phase) {
  switch (phase) {
    case Phase::pending: return "pending";
    case Phase::delayed: return "delayed";
    case Phase::blocked: return "blocked";
    case Phase::retry: return "retry";
    case Phase::active: return "active";
    case Phase::waiting: return "waiting";
    case Phase::completed: return "completed";
    case Phase::exhausted: return name(Reason::exhausted);
    case Phase::deadline: return name(Reason::deadline);
    case Phase::signal_timeout: return name(Reason::signal_timeout);
    case Phase::terminated: return name(Reason::terminated);
    case Phase::gone: return name(Reason::gone);
    case Phase::egress_denied: return name(Reason::egress_denied);
    case Phase::invalid: return name(Reason::invalid);
    case Phase::unreachable: return name(Reason::unreachable);
    case Phase::cancelled: return name(Reason::cancelled);
    case Phase::queue_purged: return name(Reason::queue_purged);
    case Phase::queue_deleted: return name(Reason::queue_deleted);
    case Phase::discarded: return name(Reason::discarded);
    case Phase::max_age: return name(Reason::max_age);
    case Phase::corrupt_row: return name(Reason::corrupt_row);
    case Phase::queue_full: return name(Reason::queue_full);
    case Phase::quota_exceeded: return name(Reason::quota_exceeded);
  }
  throw std::logic_error("name: not a Phase");
}

}  // namespace postern
