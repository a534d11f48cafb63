#include "tests/scheduler/delivery/simulation.h"

#include <algorithm>

namespace postern::scheduler::test {
namespace {

// As the dispatcher has them.
constexpr int kSmallClaims = 2;
constexpr auto kGather = 5ms;
constexpr auto kClaimTakes = 1ms;

}  // namespace

LaneId Simulation::add_lane(Host host, bool hangs, const std::string& tenant) {
  const auto number = tenants_.emplace(tenant, static_cast<LaneId>(tenants_.size())).first->second;
  const LaneId id = number << 40 | static_cast<LaneId>(lanes_.size());
  lanes_.push_back({id, std::move(host), hangs, tenant, {}});
  return id;
}

void Simulation::add_task(LaneId lane) {
  lanes_[index_of(lane)].ready.push_back(now);
  known_.add(std::vector{lane});
}

void Simulation::run_for(Milliseconds time, int per_second) {
  const auto end = now + time;
  const auto gap = [&]() -> Monotonic::duration {
    if (per_second == 0) return 24h;
    std::exponential_distribution<> seconds(per_second);
    return std::chrono::duration_cast<Monotonic::duration>(
        std::chrono::duration<double>(seconds(random)));
  };
  auto arrival = now + gap();
  turn();
  for (;;) {
    auto next = std::min(end, arrival);
    if (!ends_.empty()) next = std::min(next, ends_.top().first);
    if (claiming_) next = std::min(next, claiming_->answer_at);
    if (const auto wake = wake_at()) next = std::min(next, *wake);
    now = std::max(now, next);
    if (now >= end) return;
    if (now == arrival) {
      add_task(lanes_[random() % lanes_.size()].id);
      arrival = now + gap();
    }
    turn();
  }
}

void Simulation::turn() {
  ++turns;
  while (!ends_.empty() && ends_.top().first <= now) {
    const auto number = ends_.top().second;
    ends_.pop();
    const auto [lane, end] = attempts_.extract(number).mapped();
    pacing.finished(lane, number, end, now);
    known_.attempt_ended(lane);
    --in_flight;
    --of_tenant_[lanes_[index_of(lane)].tenant];
    if (end.kind == HttpResult::Kind::answered) ++answered[lane];
  }
  if (claiming_ && claiming_->answer_at <= now) claimed();
  if (pacing.turn(now)) known_.room_freed();
  known_.release(now);
  if (may_claim()) claim();
  if (pacing.free_slots() > slots / 4) return;
  int hanging = 0;
  for (const auto& lane : lanes_) {
    if (lane.hangs) hanging += pacing.room(lane.id, now).in_slots;
  }
  most_slots_hanging = std::max(most_slots_hanging, hanging);
}

bool Simulation::may_claim() const {
  const int free = pacing.free_slots();
  return !claiming_ && known_.may_share() && free > 0 &&
         (free >= slots / kSmallClaims || now >= claim_at_);
}

std::optional<Monotonic> Simulation::wake_at() const {
  std::optional<Monotonic> wake = known_.release_at();
  const auto sooner = [&](std::optional<Monotonic> at) {
    if (at && (!wake || *at < *wake)) wake = at;
  };
  if (known_.waiting()) sooner(pacing.wake_at());
  if (!claiming_ && known_.may_share() && pacing.free_slots() > 0) sooner(std::max(now, claim_at_));
  return wake;
}

void Simulation::claim() {
  auto budget = pacing.budget();
  auto asked = known_.share(
      pacing.free_slots(), [&](LaneId lane) { return pacing.room(lane, now); },
      [&](const LaneRoom& room) { return budget.take(room); }, now);
  if (asked.empty()) return;
  ++claims;
  claiming_ = {std::move(asked), now + kClaimTakes};
}

void Simulation::claimed() {
  const Claim claim = *std::exchange(claiming_, std::nullopt);
  claim_at_ = now + kGather;
  std::vector<db::Claimed> tasks;
  std::vector<std::pair<LaneId, Monotonic>> came;
  for (const auto& [lane, free] : claim.asked) {
    auto& ready = lanes_[index_of(lane)].ready;
    for (int i = 0; i < free && !ready.empty(); ++i) {
      tasks.emplace_back().lane = lane;
      came.emplace_back(lane, ready.front());
      ready.pop_front();
    }
  }
  known_.claimed(claim.asked, tasks);
  for (const auto& [lane, due] : came) start(lane, due);
}

void Simulation::start(LaneId id, Monotonic due) {
  Lane& lane = lanes_[index_of(id)];
  if (!pacing.may_start(id, now)) {
    ++given_back;
    lane.ready.push_front(due);
    known_.add(std::vector{id});
    return;
  }
  ++started;
  const auto takes = lane.host(now, random);
  AttemptEnd end{HttpResult::Kind::answered, 200, takes.value_or(kTimeout), {}};
  if (!takes) end = {HttpResult::Kind::timed_out, 0, kTimeout, {}};
  pacing.started(id, next_, now);
  attempts_.emplace(next_, Attempt{id, end});
  ends_.emplace(now + end.duration, next_++);
  most_in_flight = std::max(most_in_flight, ++in_flight);
  int& of_tenant = of_tenant_[lane.tenant];
  ++of_tenant;
  most_of_tenant[lane.tenant] = std::max(most_of_tenant[lane.tenant], of_tenant);
  if (!lane.hangs) waits_.push_back(now - due);
}

Milliseconds Simulation::waited(double part) const {
  if (waits_.empty()) return Milliseconds::max();
  auto sorted = waits_;
  const auto at =
      sorted.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(), at, sorted.end());
  return std::chrono::ceil<Milliseconds>(*at);
}

void Simulation::begin_counting() {
  answered.clear();
  waits_.clear();
  most_of_tenant.clear();
  most_in_flight = given_back = started = turns = claims = most_slots_hanging = 0;
}

}  // namespace postern::scheduler::test
