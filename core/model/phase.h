// The phase of a task's life: finer than its state, because dialects distinguish more. Each dialect
// has a word for each phase. Derived from the task's row alone; db/tasks/list_statements.cpp
// has the same rule in SQL, for filters.
#pragma once

#include <array>
#include <string_view>

#include "core/model/task.h"

namespace postern {

enum class Phase {
  pending,  // due, never attempted
  delayed,  // not due yet, never attempted
  blocked,  // waits for other tasks or for its turn within its ordering key
  retry,    // attempted before, to be attempted again
  active,
  waiting,  // its webhook was answered; a signal will end it
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
  corrupt_row,
  queue_full,
  quota_exceeded,
};

inline constexpr std::array kAllPhases{
    Phase::pending,       Phase::delayed,        Phase::blocked,       Phase::retry,
    Phase::active,        Phase::waiting,        Phase::completed,     Phase::exhausted,
    Phase::deadline,      Phase::signal_timeout, Phase::terminated,    Phase::gone,
    Phase::egress_denied, Phase::invalid,        Phase::unreachable,   Phase::cancelled,
    Phase::queue_purged,  Phase::queue_deleted,  Phase::discarded,     Phase::max_age,
    Phase::corrupt_row,   Phase::queue_full,     Phase::quota_exceeded};

Phase phase_of(const Task& task);

// The phase's name in SQL; for a task that ended without success, the name of its Reason.
std::string_view name(Phase phase);

}  // namespace postern
