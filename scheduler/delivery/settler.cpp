#include "scheduler/delivery/settler.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "core/program/log.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMost = 512;
// Of answers and errors, in one statement.
constexpr std::size_t kMostBytes = std::size_t{4} << 20;
// A result waits for others as long as the last statement took, unless nothing else is under way;
// and so long after the last one began, since a statement for one result costs as much as for ten
// (at 500 tasks/s half of what settling took). It waits no longer once so many are there.
constexpr Monotonic::duration kLongestGather = 10ms;
constexpr Monotonic::duration kSpacing = 4ms;
constexpr std::size_t kEnough = 128;
constexpr auto kPause = 1s;

std::size_t bytes_of(const db::Settlement& settlement) {
  return settlement.last_error.size() + (settlement.result ? settlement.result->body.size() : 0) +
         (settlement.attempt ? settlement.attempt->response.size() : 0);
}

std::optional<int> status_of(const db::Settlement& settlement) {
  return settlement.attempt ? settlement.attempt->response_code : std::nullopt;
}

// Its host alone stands for the target: what follows may hold a secret.
void tell(const db::Settlement& end, FailureLog& failures, Monotonic now) {
  if (end.attempt && log::wants(log::Level::debug)) {
    const auto status = status_of(end);
    log::debug(
        "attempt ended task={} tenant={} queue={} host={} attempt={} outcome={} status={} ms={} "
        "then={}",
        to_typeid(end.id), log_safe(end.tenant), log_safe(end.queue), log_safe(end.host),
        end.number, end.attempt->status, status ? std::to_string(*status) : "-",
        end.attempt->duration.count(), name(end.state));
  }
  if (end.state != State::failed) return;
  failures.add({.id = end.id,
                .tenant = end.tenant,
                .queue = end.queue,
                .host = end.host,
                .attempts = end.attempt ? end.number : end.number - 1,
                .reason = end.reason,
                .status = status_of(end)},
               now);
}

}  // namespace

Settler::Settler(db::Store& store, Environment& environment)
    : store_(store), environment_(environment), limit_(kMost) {}

void Settler::add(db::Settlement settlement) {
  if (waiting_.empty()) oldest_ = environment_.now();
  waiting_.push_back(std::move(settlement));
}

void Settler::turn(Monotonic now, bool hurry) {
  failures_.turn(now);
  if (!kept_.empty() && now >= kept_until_) {
    for (auto& each : std::exchange(kept_, {})) add(std::move(each));
  }
  due_ = waiting_.size() >= kEnough
             ? not_before_
             : std::max({hurry ? oldest_ : oldest_ + gather_, sent_at_ + kSpacing, not_before_});
  if (waiting_.empty() || !sent_.empty() || !store_.connected() || now < due_) return;
  send();
}

std::optional<Monotonic> Settler::wake_at() const {
  if (!sent_.empty() || !store_.connected()) return std::nullopt;
  std::optional<Monotonic> at;
  if (!waiting_.empty()) at = due_;
  if (!kept_.empty()) at = std::min(at.value_or(kept_until_), kept_until_);
  return at;
}

std::set<TaskId> Settler::tasks() const {
  std::set<TaskId> tasks;
  for (const auto* part : {&waiting_, &sent_, &kept_}) {
    for (const auto& each : *part) tasks.insert(each.id);
  }
  return tasks;
}

// One statement takes the oldest.
void Settler::send() {
  auto last = waiting_.begin();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < limit_ && last != waiting_.end() && bytes < kMostBytes; ++i) {
    bytes += bytes_of(*last++);
  }
  sent_.assign(std::move_iterator(waiting_.begin()), std::move_iterator(last));
  waiting_.erase(waiting_.begin(), last);
  sent_at_ = environment_.now();
  store_.settle(counters_.next(), sent_,
                {[this](const db::Settled& done) { settled(done); },
                 [this](const db::PgError& error) { refused(error); }});
}

void Settler::settled(const db::Settled& done) {
  const auto& ids = done.tasks;
  sequels_ = sequels_ || done.sequels;
  settled_some_ = settled_some_ || !ids.empty();
  const auto now = environment_.now();
  gather_ = std::min(kLongestGather, now - sent_at_);
  auto batch = std::exchange(sent_, {});
  limit_ = std::min(limit_ * 2, kMost);
  if (!done.kept.empty()) keep(batch, {done.kept.begin(), done.kept.end()});
  const auto has = [known = std::set<TaskId>(ids.begin(), ids.end())](const TaskId& id) {
    return known.contains(id);
  };
  for (const auto& each : batch) {
    if (has(each.id)) {
      times_.add(each);
      tell(each, failures_, now);
    }
    if (each.state != State::delayed) continue;
    const auto due = now + each.delay;
    if (!retry_at_ || due < *retry_at_) retry_at_ = due;
  }
  // Not settled: the lease was lost to a rescue. Or settled the first time, when its answer was
  // lost. There is none if it is another end of a task in the same batch.
  const auto lost = std::find_if(batch.begin(), batch.end(),
                                 [&](const db::Settlement& each) { return !has(each.id); });
  if (lost != batch.end() && !repeated_) {
    if (const auto more = log_lease_lost_.pass()) {
      log::warn("lease lost task={} tasks={} more={}", to_typeid(lost->id),
                batch.size() - ids.size(), *more);
    }
  }
  if (waiting_.empty()) repeated_ = false;
}

// Takes the settlements of `tasks` out of the batch, to send them again later.
void Settler::keep(std::vector<db::Settlement>& batch, const std::set<TaskId>& tasks) {
  const auto kept = std::stable_partition(
      batch.begin(), batch.end(), [&](const auto& each) { return !tasks.contains(each.id); });
  if (kept_.empty()) kept_until_ = environment_.now() + kPause;
  kept_.insert(kept_.end(), std::move_iterator(kept), std::move_iterator(batch.end()));
  batch.erase(kept, batch.end());
}

void Settler::refused(const db::PgError& error) {
  if (error.is_data_fault()) {
    // One row must not hold up the others: halve the batch until it stands alone.
    if (sent_.size() == 1) return set_aside(error);
    limit_ = sent_.size() / 2;
  } else {
    repeated_ = repeated_ || error.connection_lost();
    // A lost connection comes back when it can; a refusal would come again at once.
    if (!error.connection_lost()) not_before_ = environment_.now() + kPause;
    if (const auto more = log_refused_.pass()) {
      log::warn("settle failed tasks={} more={} error=\"{}\"", sent_.size(), *more,
                log_safe(error.what()));
    }
  }
  put_back();
}

// The one that was sent is refused for what it is, so it would be refused for ever.
void Settler::set_aside(const db::PgError& error) {
  const auto& alone = sent_.front();
  if (const auto more = log_set_aside_.pass()) {
    log::error("settlement refused task={} more={} error=\"{}\"", to_typeid(alone.id), *more,
               log_safe(error.what()));
  }
  limit_ = kMost;
  store_.submit(db::kSetAside,
                db::set_aside_params(counters_.next(), alone.id, alone.lease,
                                     corrupt_row_error(error.what())),
                {[this](const db::PgResult& result) {
                   const bool over = db::set_aside_from(result);
                   sequels_ = sequels_ || over;
                   settled_some_ = true;
                   auto& end = sent_.front();
                   end.state = State::failed;
                   end.reason = Reason::corrupt_row;
                   if (over) tell(end, failures_, environment_.now());
                   sent_.clear();
                 },
                 [this](const db::PgError& again) {
                   if (again.is_tenant_away()) {
                     keep(sent_, {sent_.front().id});
                     return;
                   }
                   if (!again.is_data_fault()) return refused(again);
                   log::error("set aside failed task={} error=\"{}\"", to_typeid(sent_.front().id),
                              log_safe(again.what()));
                   sent_.clear();  // its lease runs out, and it is rescued
                 }});
}

void Settler::put_back() {
  sent_.insert(sent_.end(), std::move_iterator(waiting_.begin()),
               std::move_iterator(waiting_.end()));
  waiting_ = std::exchange(sent_, {});
}

}  // namespace postern::scheduler
