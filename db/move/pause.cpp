#include "db/move/pause.h"

#include <algorithm>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "db/move/bulk.h"
#include "db/move/changes.h"
#include "db/move/evidence.h"
#include "db/move/state.h"
#include "db/move/whole.h"

namespace postern::db {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kFewChanges = 2'000;
constexpr std::int64_t kManyChanges = 20'000;  // of one snapshot
constexpr std::int64_t kMostWhole = 500'000;
constexpr int kRounds = 200;
constexpr int kTries = 5;
// Numbers that the source's cell draws between the preparation and the pause; after a try for which
// they were too few, so many times as it has drawn in that. Handlers use drawn ones for a second.
constexpr std::int64_t kSpareNumbers = 10'000;
constexpr std::int64_t kSpareTimes = 4;
constexpr auto kDrawnNumbers = 1500ms;
constexpr auto kSettling = 30ms;         // for statements that have begun before the state changed
constexpr Milliseconds kLeastRest{100};  // of the pause, for the arrival

Milliseconds since(Clock::time_point begun) {
  return std::chrono::duration_cast<Milliseconds>(Clock::now() - begun);
}

void go_on_at_source(Ends& ends) {
  set_state(ends, TenantState::here,
            {TenantState::here, TenantState::draining, TenantState::fenced});
}

// What a pause relies on, which is made before it.
struct Prepared {
  std::string minutes;   // up to which the series are there
  Sequences drawn;       // the source's
  Sequences numbers;     // up to which the target's are raised
  Clock::time_point at;  // when they were
};

Prepared prepare(MoveCall& call, const std::string& minutes_since, std::int64_t spare_numbers) {
  auto& ends = call.ends;
  catch_up_rounds(ends, call.told);
  Prepared out{copy_minutes(ends, minutes_since), source_sequences(ends), {}, {}};
  out.numbers = {out.drawn.job_id + spare_numbers, out.drawn.key_seq + spare_numbers};
  raise_sequences(ends, out.numbers);
  refuse_many_whole(ends, out.minutes);
  out.at = Clock::now();
  return out;
}

// How many numbers the source's cell has drawn since, of those of which it draws more.
std::int64_t drawn_since(Ends& ends, const Sequences& then) {
  const auto now = source_sequences(ends);
  return std::max(now.job_id - then.job_id, now.key_seq - then.key_seq);
}

void drain(MoveCall& call) {
  auto& ends = call.ends;
  set_state(ends, TenantState::draining, {TenantState::here, TenantState::draining});
  // Behind the commit, which may have waited for its standby.
  const auto begun = Clock::now();
  while (true) {
    const auto attempts = attempts_under_way(ends);
    if (since(begun) >= kHandlersKnow && (attempts == 0 || since(begun) >= call.options.drain)) {
      break;
    }
    call.told("waiting for attempts under way", attempts);
    std::this_thread::sleep_for(50ms);
    catch_up(ends, kFewChanges);
  }
  catch_up_rounds(ends, call.told);
}

// The pause. False: it took too long, and nothing has happened. `asked` becomes true when the
// target may have taken over, whatever is thrown.
bool switch_over(MoveCall& call, const Prepared& prepared, bool& asked) {
  auto& ends = call.ends;
  call.told("pausing", -1);
  const auto begun = Clock::now();
  const auto until = begun + call.options.pause;
  ends.source.take_unsure_commit();
  set_state(ends, TenantState::fenced, {TenantState::draining, TenantState::fenced});
  if (ends.source.take_unsure_commit()) {
    throw MoveRefused(
        Refusal::later,
        "the source's synchronous standby has not confirmed that the tenant's writes are refused");
  }
  std::this_thread::sleep_for(kSettling);
  wait_for_writers(ends, until);
  refuse_operator_keys(ends);
  try {
    {
      const InTime in_time(ends, until);
      while (catch_up(ends, kManyChanges) > 0) {
      }
    }
    if (drawn_since(ends, prepared.numbers) > 0) return false;
    call.result.repeats = attempts_under_way(ends);
    if (Clock::now() > until) return false;
    asked = true;
    const InTime in_time(ends, std::max(until, Clock::now() + kLeastRest));
    arrive(ends, call.id, prepared.minutes);
  } catch (const PgError& error) {
    if (error.is_busy()) return false;  // nothing was committed
    throw;
  }
  call.result.pause = since(begun);
  call.told(fmt::format("the tenant is in the cell {}; the pause took {} ms", ends.target_cell,
                        call.result.pause.count()),
            -1);
  return true;
}

}  // namespace

bool open_again(Ends& ends, const Uuid& id) {
  if (arrived(end_state(ends.target, ends.tenant), id)) return false;
  go_on_at_source(ends);
  return true;
}

void refuse_many_whole(Ends& ends, const std::string& minutes_since) {
  if (const auto whole = rows_of_whole(ends, minutes_since); whole > kMostWhole) {
    throw MoveRefused(Refusal::impossible,
                      "{} queues, endpoints, schedules, keys, counters, sequels and last minutes "
                      "are more than can be copied in a pause: {} at most",
                      whole, kMostWhole);
  }
}

void catch_up_rounds(Ends& ends, const MoveTold& told) {
  for (int round = 0; round < kRounds; ++round) {
    const auto changes = catch_up(ends, kManyChanges);
    told("copying changes", changes);
    if (changes <= kFewChanges) return;
  }
  throw MoveRefused(Refusal::later, "more changes at the source than can be copied meanwhile");
}

void pause_and_switch(MoveCall& call) {
  auto& ends = call.ends;
  auto minutes = minutes_before(ends.source, ends.tenant);
  auto spare_numbers = kSpareNumbers;
  for (int& tries = call.result.tries = 1; tries <= kTries; ++tries) {
    const auto prepared = prepare(call, minutes, spare_numbers);
    minutes = prepared.minutes;
    bool asked = false;
    try {
      drain(call);
      std::this_thread::sleep_until(prepared.at + kDrawnNumbers);
      if (switch_over(call, prepared, asked)) return;
    } catch (const PgError& error) {
      // Without the arrival having been asked for, the target's state is known without it.
      if (ends.source.alive() && !asked) {
        go_on_at_source(ends);
      } else if (ends.source.alive() && ends.target.alive() && !open_again(ends, call.id)) {
        return;
      }
      throw;
    } catch (const MoveRefused&) {
      if (!open_again(ends, call.id)) return;
      throw;
    } catch (...) {
      // Rows that did not arrive, no memory: nobody calls again because of that by himself.
      if (ends.source.alive() && ends.target.alive() && !open_again(ends, call.id)) return;
      throw;
    }
    if (!open_again(ends, call.id)) return;
    spare_numbers = std::max(spare_numbers, kSpareTimes * drawn_since(ends, prepared.drawn));
    call.told("the pause took too long, and was ended", -1);
    std::this_thread::sleep_for(1s);
  }
  throw MoveRefused(Refusal::later, "{} pauses were too short; --pause gives more time", kTries);
}

}  // namespace postern::db
