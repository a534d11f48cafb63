#include "scheduler/duties/duties.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/program/log.h"
#include "scheduler/duties/table.h"

namespace postern::scheduler {

Duties::Duties(DutyOptions options, db::Channel& duties, db::Channel& results,
               Dispatcher& dispatcher, std::function<SchedulerGauges()> gauges)
    : duties_(duties),
      results_(results),
      context_{options, dispatcher, std::move(gauges),
               Rescue(options.instance, options.name, options.rescue_after),
               std::mt19937_64(std::random_device()())},
      table_(duty_table(options)) {}

db::Channel& Duties::channel(const Duty& duty) const {
  return duty.connection == Duty::Connection::results ? results_ : duties_;
}

Duty& Duties::duty_of(DutyFunction run) {
  return *std::find_if(table_.begin(), table_.end(),
                       [run](const Duty& duty) { return duty.run == run; });
}

// One at a time on the duties' connection, so that each waits for one statement at most before its
// own turn comes, and so that it can tell how long its own took.
bool Duties::may_run(const Duty& duty) const {
  if (duty.under_way > 0 || !channel(duty).connected()) return false;
  if (duty.connection == Duty::Connection::results) return true;
  return context_.has_beaten && !stopped_ && duties_.pending() == 0;
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
  auto* const duties = duties_;
  auto* const duty = duty_;
  const auto failed = [duties, duty](const std::string& why) {
    if (const auto more = duties->log_failed_.pass()) {
      log::error("event=duty_failed duty={} more={} error={}", duty->name, *more, log_safe(why));
    }
  };
  ++duty->under_way;
  duties->channel(*duty).submit(
      statement, std::move(params),
      [duty, failed, done = std::move(done)](const db::PgResult& result) {
        --duty->under_way;
        try {
          done(result);
        } catch (const std::exception& fault) {
          failed(fault.what());
        }
      },
      [duty, failed](const db::PgError& error) {
        --duty->under_way;
        // A lost connection is the loop's to report.
        if (!error.connection_lost() && !error.sqlstate().empty()) failed(error.what());
      });
}

void DutyRun::also(DutyFunction other, Monotonic when) const {
  auto& next = duties_->duty_of(other).next;
  next = std::min(next, when);
}

int DutyRun::connects() const { return duties_->channel(*duty_).connects(); }

}  // namespace postern::scheduler
