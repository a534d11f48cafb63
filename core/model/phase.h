// Where a task is in its life, as finely as any wire can tell: each dialect has a word for each of
// these. Derived from the row alone; db/tasks/task_lists.cpp says the same in SQL, for filters.
#pragma once

#include <array>
#include <string_view>

#include "core/model/task.h"

namespace postern {

enum class Phase {
  pending,  // due, and never tried
  delayed,  // not due yet, and never tried
  blocked,  // waits for other tasks or for its key's turn
  retry,    // tried before, and to be tried again
  active,
  waiting,  // its webhook was answered; a signal is to tell the end
  completed,
  exhausted,
  deadline,
  signal_timeout,
  terminated,
  gone,
  egress_denied,
  invalid,
  unreachable,
  cancelled,
  queue_purged,
  queue_deleted,
  discarded,
  max_age,
};

inline constexpr std::array kAllPhases{
    Phase::pending,       Phase::delayed,        Phase::blocked,     Phase::retry,
    Phase::active,        Phase::waiting,        Phase::completed,   Phase::exhausted,
    Phase::deadline,      Phase::signal_timeout, Phase::terminated,  Phase::gone,
    Phase::egress_denied, Phase::invalid,        Phase::unreachable, Phase::cancelled,
    Phase::queue_purged,  Phase::queue_deleted,  Phase::discarded,   Phase::max_age};

Phase phase_of(const Task& task);

// The word for it in SQL: for what is over without success that of its Reason.
std::string_view name(Phase phase);

}  // namespace postern
