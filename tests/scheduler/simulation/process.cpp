#include "tests/scheduler/simulation/process.h"

#include <algorithm>
#include <chrono>

namespace postern::simulation {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongestWait = 1s;
// Who bears the same name is taken for one's own past, and for dead so soon.
constexpr Seconds kOwnName{11};
// No turn takes less.
constexpr auto kTurn = 20us;
// More turns than this in a run are a loop that never waits.
constexpr std::uint64_t kMostTurns = 400'000;

}  // namespace

TaskId Process::Machine::new_task_id() {
  const Uuid random = world_.random.uuid();
  return make_task_id(wall_clock(), std::span(random.bytes).first<8>());
}

Process::Process(const ProcessOptions& options, World& world, ModelDatabase& database,
                 Receivers& receivers, Checker& checker)
    : options_(options),
      world_(world),
      database_(database),
      checker_(checker),
      machine_(world, options.clock_error),
      instance_(world.random.uuid()) {
  const auto patience =
      options.shares_name ? std::min(options.rescue_after, kOwnName) : options.rescue_after;
  checker.started(options.number,
                  {instance_, options.slots, options.places, patience, options.shares_name});
  const auto wake = [this] { wake_at(world_.now()); };
  for (auto& line : lines_) {
    line = std::make_shared<Line>(world, database, checker, options.number, options.faults, wake);
  }
  network_ = std::make_shared<Network>(world, receivers, checker, options.number, wake);
  dispatcher_ = std::make_unique<scheduler::Dispatcher>(
      scheduler::Dispatcher::Options{instance_, options.slots, options.places, ""}, *lines_[0],
      *lines_[1], *network_, machine_);
  duties_ = std::make_unique<scheduler::Duties>(
      scheduler::DutyOptions{
          .instance = instance_, .name = options.name, .rescue_after = options.rescue_after},
      scheduler::Duties::Stores{*lines_[2], *lines_[1], *lines_[2]}, *dispatcher_,
      [] { return SchedulerGauges{}; }, machine_);
}

Process::~Process() {
  for (auto& line : lines_) line->abandon();
}

void Process::start() { wake_at(world_.now()); }

void Process::wake_at(Monotonic when) {
  when = std::max({when, paused_until_, world_.now()});
  if (when >= next_turn_) return;
  next_turn_ = when;
  world_.at(when, [process = weak_from_this(), when] {
    const auto self = process.lock();
    if (self && self->next_turn_ == when) self->turn();
  });
}

// As Loop::turn.
void Process::turn() {
  next_turn_ = Monotonic::max();
  if (left_) return;
  const auto now = world_.now();
  if (now < paused_until_) return wake_at(paused_until_);
  if (++turns_ > kMostTurns) return world_.violated("a scheduler never rests");
  for (auto& line : lines_) line->drive();
  duties_->turn(now);
  dispatcher_->turn(now);
  if (stopping_) drain(now);
  if (pause_amid_ && lines_[pause_amid_->first]->pending() > 0) {
    pause(std::exchange(pause_amid_, std::nullopt)->second);
  }
  const auto parked = static_cast<std::size_t>(dispatcher_->pacing().parked());
  const auto slots = static_cast<std::size_t>(options_.slots);
  if (dispatcher_->in_flight() > slots + parked) world_.violated("more attempts than slots");
  if (parked > static_cast<std::size_t>(options_.places)) world_.violated("more than places");
  if (network_->active() > dispatcher_->in_flight()) {
    world_.violated("a transfer that nobody waits for");
  }
  auto wake = std::min<Monotonic>(now + kLongestWait, duties_->wake_at());
  if (const auto at = dispatcher_->wake_at()) wake = std::min(wake, *at);
  if (!left_) wake_at(std::max<Monotonic>(wake, now + kTurn));
}

// As Loop::drain.
void Process::drain(Monotonic now) {
  if (!given_back_ && dispatcher_->in_flight() > 0 && now >= drain_until_) {
    given_back_ = true;
    network_->drop();
    dispatcher_->give_back_in_flight();
    dispatcher_->turn(now);
  }
  const bool over = dispatcher_->in_flight() == 0 || given_back_;
  if (over && (dispatcher_->idle() || now >= drain_until_ + 5s)) {
    if (dispatcher_->idle()) {
      database_.leave(instance_);
      checker_.left(options_.number);
    } else {
      checker_.crashed(options_.number);
    }
    left_ = true;
  }
}

void Process::pause(Microseconds time) {
  world_.record("paused", options_.number, {}, time.count());
  paused_until_ = std::max<Monotonic>(paused_until_, world_.now() + time);
  checker_.disturbed(options_.number, time);
  world_.at(paused_until_, [process = weak_from_this()] {
    const auto self = process.lock();
    if (!self) return;
    self->next_turn_ = Monotonic::max();
    self->wake_at(self->world_.now());
  });
}

void Process::cut(std::size_t line, Microseconds downtime) {
  lines_[line]->cut(downtime);
  checker_.disturbed(options_.number, downtime);
}

void Process::lock(Microseconds time) {
  world_.record("locked", options_.number, {}, time.count());
  for (auto& line : lines_) line->lock(time);
  checker_.disturbed(options_.number, time);
}

void Process::forget() {
  database_.leave(instance_);
  checker_.forgotten(options_.number);
}

void Process::stop(Microseconds drain_timeout) {
  if (stopping_) return;
  world_.record("stopping", options_.number);
  stopping_ = true;
  drain_until_ = world_.now() + drain_timeout;
  duties_->stop();
  dispatcher_->stop_claiming();
  wake_at(world_.now());
}

void Process::hint(const std::vector<std::int64_t>& lanes) {
  if (left_ || world_.now() < paused_until_ || !duties_->has_beaten()) return;
  lanes.empty() ? duties_->look_for_work() : dispatcher_->add_lanes(lanes);
  wake_at(world_.now());
}

}  // namespace postern::simulation
