#include "fcgi/intake/lines.h"

#include <algorithm>
#include <utility>

#include "fcgi/intake/job.h"

namespace postern {

bool IntakeLines::has_room(const std::string& tenant) const {
  if (bytes_ < kMaxBytes) return true;
  const auto line = lines_.find(tenant);
  return line == lines_.end() || line->second.bytes < kMaxBytes / lines_.size();
}

void IntakeLines::add(std::shared_ptr<IntakeJob> job) {
  Line& line = lines_[job->task.spec.tenant];
  line.bytes += job->bytes();
  bytes_ += job->bytes();
  line.jobs.push_back(std::move(job));
}

// REQUIRES: there is one.
IntakeLines::ByTenant::iterator IntakeLines::next_line() {
  const auto next = lines_.upper_bound(served_);
  return next == lines_.end() ? lines_.begin() : next;
}

void IntakeLines::take_front(Line& line, Jobs& batch) {
  const std::size_t bytes = line.jobs.front()->bytes();
  line.bytes -= bytes;
  bytes_ -= bytes;
  batch.push_back(std::move(line.jobs.front()));
  line.jobs.pop_front();
}

IntakeLines::ByTenant::iterator IntakeLines::drop_if_empty(ByTenant::iterator line) {
  return line->second.jobs.empty() ? lines_.erase(line) : std::next(line);
}

IntakeLines::Jobs IntakeLines::take_round() {
  Jobs batch;
  // More than once when all save up for something large.
  while (batch.empty() && !lines_.empty()) visit_all(batch);
  return batch;
}

// Ends early when something that has its turn does not fit: then it is the next batch's first,
// since nobody was served after those before it.
void IntakeLines::visit_all(Jobs& batch) {
  const bool shared = lines_.size() > 1;
  std::size_t bytes = 0;
  auto each = next_line();
  for (auto left = lines_.size(); left > 0; --left) {
    if (each == lines_.end()) each = lines_.begin();
    Line& line = each->second;
    line.credit += kTurnBytes;
    while (!line.jobs.empty()) {
      const std::size_t next = line.jobs.front()->bytes();
      if (shared && next > line.credit) break;
      if (!batch.empty() && bytes + next > kMaxBatchBytes) return;
      line.credit -= std::min(next, line.credit);
      bytes += next;
      served_ = each->first;
      take_front(line, batch);
    }
    each = drop_if_empty(each);
  }
}

IntakeLines::Jobs IntakeLines::take_turn() {
  Jobs batch;
  if (lines_.empty()) return batch;
  const auto turn = next_line();
  served_ = turn->first;
  Line& line = turn->second;
  const auto first = line.jobs.front();
  std::size_t bytes = first->bytes();
  take_front(line, batch);
  bool full = first->alone;
  std::erase_if(line.jobs, [&](auto& job) {
    if (full || job->alone || job->task.spec.queue != first->task.spec.queue) return false;
    const std::size_t size = job->bytes();
    full = batch.size() == kMaxTurnJobs || bytes + size > kMaxBatchBytes;
    if (full) return false;
    bytes += size;
    line.bytes -= size;
    bytes_ -= size;
    batch.push_back(std::move(job));
    return true;
  });
  drop_if_empty(turn);
  return batch;
}

IntakeLines::Jobs IntakeLines::take_older(Clock::time_point time) {
  Jobs older;
  for (auto each = lines_.begin(); each != lines_.end(); each = drop_if_empty(each)) {
    Line& line = each->second;
    std::erase_if(line.jobs, [&](auto& job) {
      if (job->since >= time) return false;
      line.bytes -= job->bytes();
      bytes_ -= job->bytes();
      older.push_back(std::move(job));
      return true;
    });
  }
  return older;
}

IntakeLines::Jobs IntakeLines::take_all() {
  Jobs all;
  for (auto& [tenant, line] : lines_) {
    all.insert(all.end(), line.jobs.begin(), line.jobs.end());
  }
  lines_.clear();
  bytes_ = 0;
  return all;
}

}  // namespace postern
