#include "scheduler/delivery/dispatcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/program/log.h"
#include "scheduler/delivery/outcome.h"
#include "scheduler/delivery/webhook.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

// A lease lasts the task's timeout and this: time for the claim's answer to arrive and the result
// to settle.
constexpr Seconds kGrace{30};
// An answer later than this is too late to start: the transfer might outlive its lease.
constexpr auto kLatestStart = kGrace - 5s;
// A claim waits as long as the last one took, so that the database does as much as there is work
// for, and in batches: one for less than half of the slots, of which a quarter may be free for
// other tenants alone, for more of them to become free; and one that follows a claim of several
// tasks, which were all there were, for more tasks, because at such a pace what a claim costs
// besides its tasks matters more than the millisecond. Alone, a task is claimed at once.
constexpr int kSmallClaims = 2;
constexpr std::size_t kSeveral = 8;
constexpr Monotonic::duration kLongestGather = 10ms;
constexpr int kSentAtOnce = 32;

// What a task holds in memory until its request is made of it.
std::size_t bytes_of(const db::Claimed& task) {
  std::size_t bytes = task.spec.body ? task.spec.body->size() : 0;
  for (const auto& result : task.results) bytes += result.body.size();
  return bytes;
}

constexpr auto kPause = 1s;
constexpr auto kForgetEvery = 1min;
// A lane from which no claim succeeds, because its queue or endpoint holds what it should not.
constexpr Milliseconds kOddLaneWait = 1min;

}  // namespace

Dispatcher::Dispatcher(const Options& options, db::Store& claims, db::Store& settles,
                       Transport& http, Environment& environment)
    : options_(options),
      claims_(claims),
      http_(http),
      environment_(environment),
      settler_(settles, environment),
      pacing_(options.slots, options.places),
      bodies_(options.unsent_bodies) {}

void Dispatcher::add_lanes(std::span<const std::int64_t> lanes) { lanes_.add(lanes); }

void Dispatcher::beaten(Monotonic until, Monotonic now) {
  if (now >= alive_until_) alive_since_ = now;
  alive_until_ = until;
}

void Dispatcher::turn(Monotonic now) {
  silent_ = now >= alive_until_;
  for (const auto id : http_.take_sent()) let_go(id);
  for (const auto& finished : http_.take_finished()) finish(finished, now);
  settler_.turn(now, in_flight_.empty());
  refresh_lanes(now);
  send(now);
  if (may_claim(now)) claim(now);
}

// Takes back the lanes whose time has come.
void Dispatcher::refresh_lanes(Monotonic now) {
  if (pacing_.turn(now)) lanes_.room_freed();
  if (settler_.take_settled()) lanes_.place_freed();
  lanes_.release(now);
  if (now >= forget_at_) {
    pacing_.forget_idle(now);
    lane_memory_.forget_idle(now);
    forget_at_ = now + kForgetEvery;
  }
}

void Dispatcher::finish(const Transport::Finished& finished, Monotonic now) {
  const auto node = in_flight_.extract(finished.id);
  if (node.empty()) return;
  let_go(finished.id);
  const auto& result = finished.result;
  const auto wall = environment_.wall_clock();
  pacing_.finished(node.mapped().lane, finished.id,
                   {result.kind, result.status, result.duration, asked_delay(result, wall)}, now);
  lanes_.attempt_ended(node.mapped().lane);
  auto end = outcome(node.mapped(), result, wall, random());
  health_.add(node.mapped(), end, result.duration);
  settler_.add(std::move(end));
}

// Results that wait to be settled may be as many as the slots: enough to keep transfers going
// during a statement, and when the database is away, work stops instead of piling up.
int Dispatcher::free_slots() const {
  const int unsettled = static_cast<int>(settler_.size());
  return pacing_.free_slots() - std::max(0, unsettled - options_.slots);
}

bool Dispatcher::may_claim(Monotonic now) const {
  if (claiming_ || stopped_ || silent_ || !claims_.connected() || now < not_before_) return false;
  if (!lanes_.may_share()) return false;
  const int free = free_slots();
  return free > 0 && (now >= claim_at_ || (free >= options_.slots / kSmallClaims && !brisk_));
}

std::optional<Monotonic> Dispatcher::wake_at() const {
  if (!to_send_.empty()) return Monotonic{};  // at once
  auto wake = settler_.wake_at();
  const auto claim_at = std::max(claim_at_, not_before_);
  if (may_claim(claim_at) && (!wake || claim_at < *wake)) wake = claim_at;
  const auto park_at = lanes_.waiting() ? pacing_.wake_at() : std::nullopt;
  if (park_at && (!wake || *park_at < *wake)) wake = park_at;
  const auto release_at = lanes_.release_at();
  if (release_at && (!wake || *release_at < *wake)) wake = release_at;
  return wake;
}

void Dispatcher::claim(Monotonic now) {
  auto budget = pacing_.budget();
  auto asked = lanes_.share(
      free_slots(),
      [&](auto lane) {
        auto room = pacing_.room(lane, now);
        if (!bodies_.has_room(room.tenant)) room.tenant_allowance = 0;
        return room;
      },
      [&](const LaneRoom& room) { return budget.take(room); }, now);
  if (asked.empty()) return;
  claiming_ = {std::move(asked), environment_.new_uuid(), now};
  // Of the lanes that share a queue's or endpoint's limit the first takes what is left of it.
  // Chance is fair to any two, which a fixed order or a rotation is not.
  std::shuffle(claiming_->asked.begin(), claiming_->asked.end(), random_);
  // A claim ends when it has brought some MiB of bodies: those come first who hold the least.
  if (bodies_.held() > 0) {
    std::ranges::stable_sort(claiming_->asked, {}, [this](const db::LaneSlots& slots) {
      return bodies_.held_by(lane_tenant(slots.lane));
    });
  }
  if (claiming_->asked.size() > most_lanes_) claiming_->asked.resize(most_lanes_);
  std::vector<db::LaneClaim> recalled;
  recalled.reserve(claiming_->asked.size());
  for (const auto& slots : claiming_->asked) recalled.push_back(lane_memory_.recall(slots, now));
  claims_.claim(recalled, claiming_->lease, options_.instance, kGrace,
                {[this](db::ClaimAnswer answer) { claimed(std::move(answer)); },
                 [this](const db::PgError& error) { claim_failed(error); }});
}

void Dispatcher::claimed(db::ClaimAnswer answer) {
  const Claim claim = *std::exchange(claiming_, std::nullopt);
  const auto now = environment_.now();
  claim_at_ = now + std::min(kLongestGather, now - claim.sent_at);
  auto& [tasks, held] = answer;
  std::size_t asked = 0;
  for (const auto& lane : claim.asked) asked += static_cast<std::size_t>(lane.free);
  brisk_ = tasks.size() >= kSeveral && tasks.size() < asked;
  most_lanes_ = std::min(most_lanes_ * 2, kMostLanes);
  lanes_.claimed(claim.asked, tasks);
  std::erase_if(tasks, [this](const db::Claimed& task) {
    if (!task.unreadable.empty()) settler_.add(set_aside(task));
    return !task.unreadable.empty();
  });
  lanes_.hold(held, now);
  lane_memory_.took(now - claim.sent_at);
  for (const auto& task : tasks) {
    lane_use_.add(task.lane, task.spec);
    lane_memory_.claimed(task, now);
  }
  for (auto& task : tasks) take(std::move(task), claim.sent_at, now);
}

void Dispatcher::claim_failed(const db::PgError& error) {
  const Claim claim = *std::exchange(claiming_, std::nullopt);
  const auto now = environment_.now();
  // A lost connection comes back when it can; a refusal would come again at once.
  if (error.connection_lost()) {
    lost_claims_.add(claim.lease, now);
  } else if (!error.is_data_fault()) {
    not_before_ = now + kPause;
  } else if (claim.asked.size() > 1) {
    // What one lane stands for must not hold up the others: halve until it stands alone.
    most_lanes_ = claim.asked.size() / 2;
  } else {
    const db::HeldLane odd{claim.asked.front().lane, kOddLaneWait, false};
    log::error("lane refused lane={} error=\"{}\"", odd.lane, log_safe(error.what()));
    most_lanes_ = kMostLanes;
    lanes_.claimed(claim.asked, {});
    lanes_.hold({&odd, 1}, now);
    return;
  }
  if (const auto more = log_claim_failed_.pass()) {
    log::warn("claim failed more={} error=\"{}\"", *more, log_safe(error.what()));
  }
}

// A claimed task has its slot from here on.
void Dispatcher::take(db::Claimed task, Monotonic asked_at, Monotonic now) {
  // Its receiver may have stopped answering since the claim was sent, or its tenant has its share.
  if (stopped_ || !pacing_.may_start(task.lane, now)) return give_back(task);
  pacing_.started(task.lane, next_transfer_, now);
  bodies_.hold(next_transfer_, lane_tenant(task.lane), bytes_of(task));
  to_send_.push_back({next_transfer_, asked_at});
  in_flight_.emplace(next_transfer_++, std::move(task));
}

// A few at a time: an answer may come before the next request is built, and the database must not
// wait for a whole batch of them to be asked for more work.
void Dispatcher::send(Monotonic now) {
  for (int i = 0; i < kSentAtOnce && !to_send_.empty(); ++i) {
    const auto [id, asked_at] = to_send_.front();
    to_send_.pop_front();
    const auto found = in_flight_.find(id);
    db::Claimed& task = found->second;
    const auto waited = std::chrono::floor<Microseconds>(now - asked_at);
    const auto& deadline = task.spec.deadline;
    // Whoever takes us for dead gives it to others, or a client cancels it.
    if (silent_ || asked_at < alive_since_ || now > asked_at + kLatestStart) {
      give_back(task);
    } else if (task.past_deadline || (deadline && *deadline < task.claimed_at + waited)) {
      settler_.add(past_deadline(task));
    } else if (auto request = webhook(task, environment_.wall_clock(), options_.public_url);
               !request) {
      settler_.add(not_sent(task, request.error(), random()));
    } else {
      // The request holds them now.
      task.spec.body.reset();
      task.spec.headers.clear();
      task.secrets.clear();
      task.results.clear();
      bodies_.hold(id, lane_tenant(task.lane), request->body.size());
      http_.start(id, std::move(*request));
      continue;
    }
    pacing_.given_back(task.lane, id, now);
    let_go(id);
    lanes_.attempt_ended(task.lane);
    in_flight_.erase(found);
  }
}

void Dispatcher::give_back(const db::Claimed& task) {
  lane_memory_.look_from(task.lane, task.run_at);
  settler_.add(given_back(task));
}

void Dispatcher::stop_claiming() {
  stopped_ = true;
  const auto now = environment_.now();
  for (const auto& [id, asked_at] : std::exchange(to_send_, {})) {
    const auto node = in_flight_.extract(id);
    give_back(node.mapped());
    pacing_.given_back(node.mapped().lane, id, now);
    let_go(id);
  }
}

// Its body is in memory no longer.
void Dispatcher::let_go(std::uint64_t transfer) {
  if (bodies_.let_go(transfer)) lanes_.share_freed();
}

void Dispatcher::give_back_in_flight() {
  for (const auto& [id, task] : in_flight_) settler_.add(given_back(task));
  in_flight_.clear();
  to_send_.clear();
}

std::set<TaskId> Dispatcher::held() const {
  auto held = settler_.tasks();
  for (const auto& [id, task] : in_flight_) held.insert(task.spec.id);
  return held;
}

}  // namespace postern::scheduler
