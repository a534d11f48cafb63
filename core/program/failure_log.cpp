#include "core/program/failure_log.h"

#include "core/program/log.h"

namespace postern {
namespace {

std::string status_text(std::optional<int> status) {
  return status ? std::to_string(*status) : "-";
}

void tell_more(std::string_view tenant, std::string_view queue, std::int64_t more) {
  if (more == 0) return;
  log::warn("tasks failed tenant={} queue={} more={} seconds={}", log_safe(tenant), log_safe(queue),
            more, FailureLog::kWindow.count());
}

}  // namespace

void FailureLog::add(const FailedTask& task, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  start_anew(now);
  Count& count = count_of(task.tenant, task.queue);
  if (count.lines >= kLinesOfQueue || lines_ >= kLines) {
    ++count.more;
    return;
  }
  ++count.lines;
  ++lines_;
  log::warn("task failed task={} tenant={} queue={} host={} attempts={} reason={} status={}",
            to_typeid(task.id), log_safe(task.tenant), log_safe(task.queue),
            task.host.empty() ? "-" : log_safe(task.host), task.attempts, name(task.reason),
            status_text(task.status));
}

void FailureLog::turn(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  start_anew(now);
}

FailureLog::Count& FailureLog::count_of(std::string_view tenant, std::string_view queue) {
  std::pair key{std::string(tenant), std::string(queue)};
  const auto found = counts_.find(key);
  if (found != counts_.end()) return found->second;
  if (counts_.size() >= kQueues) return others_;
  return counts_[std::move(key)];
}

void FailureLog::start_anew(Clock::time_point now) {
  if (now < until_) return;
  tell_counts();
  counts_.clear();
  others_ = {};
  lines_ = 0;
  until_ = now + kWindow;
}

void FailureLog::tell_counts() {
  for (const auto& [queue, count] : counts_) tell_more(queue.first, queue.second, count.more);
  tell_more("*", "*", others_.more);
}

}  // namespace postern
