#include "scheduler/duties/duties.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/program/log.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// A step that takes longer is halved, since all other duties wait behind it.
constexpr Milliseconds kLongStep = 200ms;
constexpr Monotonic::duration kLongestRest = 10s;

}  // namespace

Duties::Duties(DutyOptions options, Stores stores, Dispatcher& dispatcher,
               std::function<SchedulerGauges()> gauges, Environment& environment)
    : stores_(stores),
      context_{options,
               dispatcher,
               environment,
               std::move(gauges),
               Rescue(options.instance, options.name, options.rescue_after),
               std::mt19937_64(environment.seed())},
      table_(duty_table(options)) {}

db::Store& Duties::store(const Duty& duty) const {
  switch (duty.connection) {
    case Duty::Connection::results: return stores_.results;
    case Duty::Connection::gauges: return stores_.gauges;
    case Duty::Connection::duties: break;
  }
  return stores_.duties;
}

Duty& Duties::duty_of(DutyFunction run) {
  return *std::find_if(table_.begin(), table_.end(),
                       [run](const Duty& duty) { return duty.run == run; });
}

// One at a time on the duties' connection, so that each waits for one statement at most before its
// own turn comes, and so that it can tell how long its own took.
bool Duties::may_run(const Duty& duty) const {
  if (duty.under_way > 0 || !store(duty).connected()) return false;
  if (duty.connection == Duty::Connection::results) return true;
  return context_.has_beaten && !stopped_ && store(duty).pending() == 0;
}

void Duties::turn(Monotonic now) {
  auto& settler = context_.dispatcher.settler();
  if (const auto retry = settler.take_retry_at()) {
    auto& next = duty_of(promote).next;
    next = std::min(next, *retry);
  }
  if (settler.take_sequels()) duty_of(follow).next = {};
  const auto first = turn_of_;
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const auto number = (first + i) % table_.size();
    auto& duty = table_[number];
    if (!may_run(duty) || now < std::max(duty.next, duty.not_before)) continue;
    duty.next = duty.period > Milliseconds{0} ? now + duty.period : Monotonic::max();
    duty.run(DutyRun(*this, duty, now));
    turn_of_ = number + 1;
  }
}

Monotonic Duties::wake_at() const {
  auto wake = Monotonic::max();
  for (const auto& duty : table_) {
    if (may_run(duty)) wake = std::min(wake, std::max(duty.next, duty.not_before));
  }
  return wake;
}

void Duties::look_for_work() { duty_of(promote).next = {}; }

void DutyRun::ask(const db::Statement& statement, db::Params params, Done done) const {
  store().submit(statement, std::move(params), reply<const db::PgResult&>(std::move(done)));
}

void DutyRun::step(const db::Statement& statement, db::Params params, Done done) const {
  store().submit(statement, std::move(params), step_reply<const db::PgResult&>(std::move(done)));
}

void DutyRun::took(Monotonic::duration time) const {
  if (time > kLongStep) duty_->shrink();
  if (time < kLongStep / 4) duty_->grow();
}

void DutyRun::end(const std::function<void()>& done) const {
  --duty_->under_way;
  try {
    done();
  } catch (const std::exception& fault) {
    log_failed(fault.what());
  }
}

void DutyRun::fail(const db::PgError& error) const {
  --duty_->under_way;
  if (!error.connection_lost()) duty_->shrink();
  // A lost connection is the loop's to report.
  if (!error.connection_lost() && !error.sqlstate().empty()) log_failed(error.what());
}

void DutyRun::log_failed(std::string_view why) const {
  if (const auto more = duties_->log_failed_.pass()) {
    log::error("duty failed duty={} more={} error=\"{}\"", duty_->name, *more, log_safe(why));
  }
}

void DutyRun::also(DutyFunction other, Monotonic when) const {
  auto& next = duties_->duty_of(other).next;
  next = std::min(next, when);
}

void DutyRun::rest(int share, Monotonic::duration least) const {
  not_before(now() +
             std::clamp<Monotonic::duration>(share * (now() - begun_), least, kLongestRest));
}

int DutyRun::connects() const { return store().connects(); }

}  // namespace postern::scheduler
