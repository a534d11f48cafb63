#include "tests/scheduler/simulation/run.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "core/model/lane.h"

namespace postern::simulation {
namespace {

using namespace std::chrono_literals;

// After the last fault all must be over within this time: a lease, two looks of the rescue, the
// longest wait of a breaker, and the last retries.
constexpr Microseconds kLiveness = 20min;
constexpr auto kLook = 500ms;

}  // namespace

Run::Run(std::uint64_t seed)
    : world_(seed),
      checker_(world_, database_),
      receivers_(world_, database_, checker_),
      faults_end_(world_.random.time(20s, 150s)) {
  auto& random = world_.random;
  const auto sometimes = [&] { return random.chance(0.35); };
  const bool none = random.chance(0.05);  // nothing goes wrong at all
  if (!none) {
    faults_ = {sometimes(), sometimes(), sometimes(), sometimes(), sometimes(), sometimes(),
               sometimes(), sometimes(), sometimes(), sometimes(), sometimes(), {}};
    if (sometimes()) faults_.lines.slow = 0.02;
    if (sometimes()) faults_.lines.refused = 0.02;
  }
  const auto schedulers = static_cast<std::size_t>(random.number(1, 3));
  const Seconds rescue_after{random.chance(0.5) ? 60
                                                : random.number(4, random.chance(0.5) ? 10 : 60)};
  for (std::size_t i = 0; i < schedulers; ++i) {
    ProcessOptions options;
    options.name = random.chance(0.1) ? "same" : fmt::format("host-{}", i);
    options.slots = static_cast<int>(random.number(1, 12));
    options.places = static_cast<int>(random.number(1, 40));
    options.rescue_after = rescue_after;
    options.clock_error = random.chance(0.2) ? random.time(-1h, 1h) : 0s;
    options.faults = faults_.lines;
    places_.push_back({options, nullptr});
  }
  for (auto& place : places_) {
    place.options.shares_name = std::ranges::count_if(places_, [&](const Place& each) {
                                  return each.options.name == place.options.name;
                                }) > 1;
  }
  make_queues();
  make_tasks();
  make_schedules();
  plan_faults();
  if (faults_.receivers) plan_receivers();
  if (faults_.operators) plan_operators();
  for (std::size_t i = 0; i < schedulers; ++i) {
    world_.after(random.time(0s, 3s), [this, i] { start(i); });
  }
  world_.after(faults_end_, [this] { heal(); });
}

Microseconds Run::some_time() { return world_.random.time(0s, faults_end_ - 1s); }

void Run::make_queues() {
  auto& random = world_.random;
  many_ = random.chance(0.03);
  const auto limits = [&] {
    Limits out;
    if (many_) return out;  // they would take too long
    if (random.chance(0.3)) out.most_active = random.number(1, 4);
    if (random.chance(0.2)) {
      out.rate = RateLimit{random.number(1, 30), Seconds{random.number(1, 5)}, std::nullopt};
      if (random.chance(0.5)) out.rate->burst = random.number(1, 10);
    }
    return out;
  };
  for (auto n = random.number(1, 5); n > 0; --n) {
    const ModelDatabase::Name name{fmt::format("t{}", random.number(1, 3)), fmt::format("q{}", n)};
    queues_.push_back(name);
    limits_[name] = limits();
    database_.set_queue(name, limits_[name]);
    checker_.limits(name, limits_[name]);
  }
  for (auto n = random.number(1, 4); n > 0; --n) {
    hosts_.push_back(fmt::format("r{}.test", n));
    receivers_.set(hosts_.back(), random.chance(0.1) ? Mood::failing : Mood::well);
  }
  for (auto n = random.number(0, 2); n > 0; --n) {
    endpoints_.push_back(fmt::format("e{}", n));
    const auto of = limits();
    for (int tenant = 1; tenant <= 3; ++tenant) {
      database_.set_endpoint({fmt::format("t{}", tenant), endpoints_.back()},
                             "http://" + hosts_.front() + "/", of);
    }
  }
}

NewTask Run::new_task() {
  auto& random = world_.random;
  NewTask task;
  const Uuid bits = random.uuid();
  task.spec.id = make_task_id(world_.true_clock(), std::span(bits.bytes).first<8>());
  const auto pick = [&](const auto& of) -> const auto& {
    return of[static_cast<std::size_t>(random.number(0, static_cast<std::int64_t>(of.size()) - 1))];
  };
  std::tie(task.spec.tenant, task.spec.queue) = pick(queues_);
  if (!endpoints_.empty() && random.chance(0.3)) {
    task.spec.endpoint = pick(endpoints_);
  } else {
    task.spec.url = "http://" + pick(hosts_) + "/";
  }
  task.spec.priority = random.chance(0.5) ? 50 : static_cast<int>(random.number(0, 100));
  task.spec.max_attempts = static_cast<int>(random.number(1, 6));
  const std::vector<std::string> policies{"exponential", "linear", "fixed", "none",
                                          R"({"intervals":[0,1,3],"jitter":0.5})"};
  task.spec.retry_policy = pick(policies);
  task.spec.timeout = Milliseconds{random.number(1'000, 20'000)};
  if (random.chance(0.3)) task.delay = random.time(0s, 40s);
  if (random.chance(0.1)) {
    task.spec.deadline = world_.database_clock() + task.delay + random.time(1s, 30s);
  }
  return task;
}

void Run::insert(const NewTask& task) {
  ++tasks_;
  database_.insert(task, world_.database_clock());
  const auto& row = database_.tasks().at(task.spec.id);
  checker_.created(task.spec, row.run_at);
  if (row.state != State::ready || !world_.random.chance(0.7)) return;
  world_.after(1ms, [this, lane = row.lane] {
    for (auto& place : places_) {
      if (place.process) place.process->hint({lane});
    }
  });
}

void Run::make_tasks() {
  auto& random = world_.random;
  const auto count = many_ ? random.number(300, 700) : random.number(3, 50);
  const bool at_once = random.chance(0.3);
  for (auto n = count; n > 0; --n) {
    world_.after(at_once ? Microseconds{5s} : some_time(), [this] {
      const auto task = new_task();
      insert(task);
      if (!faults_.cancels || !world_.random.chance(0.3)) return;
      world_.after(world_.random.time(0s, 30s), [this, id = task.spec.id] {
        if (database_.cancel(id)) checker_.cancelled(id);
      });
    });
  }
}

void Run::make_schedules() {
  auto& random = world_.random;
  if (!random.chance(0.4)) return;
  const auto few = random.number(1, 2);
  // More than one step takes are due at once, of a tenant of their own.
  const auto crowd = random.chance(0.02) ? random.number(501, 700) : 0;
  for (auto n = few + crowd; n > 0; --n) {
    const bool of_crowd = n > few;
    Schedule schedule;
    schedule.name = fmt::format("s{}", n);
    schedule.timezone = "UTC";
    auto [tenant, queue] = queues_.front();
    if (of_crowd) tenant = "crowd";
    static constexpr FieldNames kFields;
    schedule.task.fields = &kFields;
    schedule.task.queue = queue;
    schedule.task.url = "http://" + hosts_.back() + "/";
    schedule.task.timeout = Milliseconds{random.number(1'000, 5'000)};
    set_interval(schedule, of_crowd ? Seconds{20} : Seconds{random.number(3, 20)});
    schedule.misfire.kind = static_cast<Misfire>(random.number(0, 2));
    schedule.misfire.limit = static_cast<int>(random.number(1, 5));
    schedule.overlap = random.chance(0.3) ? Overlap::skip : Overlap::allow;
    const Time now = world_.database_clock();
    schedule.created_at = schedule.updated_at = now;
    schedule.bounds.ends_at = now + faults_end_;
    const auto spec = check_schedule(schedule, now);
    if (!spec || !set_first_time(schedule, *spec, now)) {
      return world_.violated("a schedule of the simulation is invalid");
    }
    database_.set_schedule(tenant, schedule);
    schedules_.emplace(schedule.name, now);
  }
}

void Run::start(std::size_t place) {
  if (process(place) != nullptr) return;
  places_[place].options.number = ++processes_;
  places_[place].process =
      std::make_shared<Process>(places_[place].options, world_, database_, receivers_, checker_);
  places_[place].process->start();
}

void Run::crash(std::size_t place) {
  if (process(place) == nullptr) return;
  checker_.crashed(places_[place].options.number);
  places_[place].process.reset();
}

void Run::stop(std::size_t place) {
  if (process(place) != nullptr) process(place)->stop(world_.random.time(0s, 20s));
}

void Run::outage(Microseconds time) {
  world_.record("outage", 0, {}, time.count());
  for (auto& place : places_) {
    for (std::size_t line = 0; line < 3 && place.process; ++line) {
      place.process->cut(line, time + world_.random.time(0s, 5s));
    }
  }
}

void Run::plan_faults() {
  auto& random = world_.random;
  const auto times = [&](bool wanted, int most, auto what) {
    for (auto n = wanted ? random.number(1, most) : 0; n > 0; --n) {
      world_.after(some_time(), [this, what] {
        if (!healed_)
          what(static_cast<std::size_t>(
              world_.random.number(0, static_cast<std::int64_t>(places_.size()) - 1)));
      });
    }
  };
  const auto again = [this](std::size_t place) {
    world_.after(world_.random.time(0s, 40s), [this, place] { start(place); });
  };
  times(faults_.crashes, 5, [this, again](std::size_t place) {
    crash(place);
    again(place);
  });
  times(faults_.stops, 4, [this, again](std::size_t place) {
    stop(place);
    again(place);
  });
  times(faults_.pauses, 5, [this](std::size_t place) {
    const auto time = world_.random.time(10ms, Seconds{world_.random.number(1, 100)});
    const bool amid = world_.random.chance(0.6);
    const auto line = static_cast<std::size_t>(world_.random.number(0, 2));
    if (!process(place)) return;
    amid ? process(place)->pause_amid(line, time) : process(place)->pause(time);
  });
  times(faults_.cuts, 12, [this](std::size_t place) {
    const auto line = static_cast<std::size_t>(world_.random.number(0, 2));
    if (process(place)) process(place)->cut(line, world_.random.time(1ms, 10s));
  });
  times(faults_.locks, 2, [this](std::size_t place) {
    if (process(place)) process(place)->lock(world_.random.time(1s, 200s));
  });
  times(faults_.forgets, 4, [this](std::size_t place) {
    if (process(place)) process(place)->forget();
  });
  times(faults_.outages, 2, [this](std::size_t) { outage(world_.random.time(100ms, 60s)); });
  times(faults_.jumps, 3, [this](std::size_t) {
    const auto by =
        world_.random.chance(0.5) ? world_.random.time(-3h, 3h) : world_.random.time(-90s, 90s);
    world_.record("jump", 0, {}, by.count());
    back_ = std::max(back_ - by, Microseconds{0});
    world_.jump(by);
  });
}

void Run::plan_receivers() {
  auto& random = world_.random;
  for (auto n = random.number(1, 8); n > 0; --n) {
    const auto host = hosts_[static_cast<std::size_t>(
        random.number(0, static_cast<std::int64_t>(hosts_.size()) - 1))];
    const Mood mood = static_cast<Mood>(random.number(0, 7));
    world_.after(some_time(), [this, host, mood] {
      if (!healed_) receivers_.set(host, mood);
    });
  }
}

void Run::plan_operators() {
  auto& random = world_.random;
  for (auto n = random.number(1, 4); n > 0; --n) {
    world_.after(some_time(), [this] {
      if (healed_) return;
      auto& [name, limits] = *limits_.begin();
      switch (world_.random.number(0, 2)) {
        case 0: limits.paused = !limits.paused; break;
        case 1: limits.most_active = world_.random.number(1, 5); break;
        default: return database_.pause(world_.random.chance(0.5));
      }
      database_.set_queue(name, limits);
      checker_.limits(name, limits);
    });
  }
}

// What is broken is mended, and nothing breaks any more.
void Run::heal() {
  healed_ = true;
  world_.record("healed", 0);
  world_.jump(back_);
  receivers_.heal();
  database_.pause(false);
  for (auto& [name, limits] : limits_) {
    limits.paused = false;
    database_.set_queue(name, limits);
    checker_.limits(name, limits);
  }
  for (std::size_t i = 0; i < places_.size(); ++i) start(i);
}

bool Run::passes() {
  Microseconds looked{0};
  while (world_.step()) {
    // A place whose process left is free for the next one.
    for (auto& place : places_) {
      if (place.process && place.process->stopped()) {
        place.process.reset();
        if (healed_)
          world_.after(
              1s, [this, &place] { start(static_cast<std::size_t>(&place - places_.data())); });
      }
    }
    if (!healed_ || world_.elapsed() < looked + kLook) continue;
    looked = world_.elapsed();
    const bool fired =
        std::none_of(database_.schedules().begin(), database_.schedules().end(),
                     [](const auto& each) { return each.second.schedule.next_at.has_value(); });
    if (checker_.all_over() && fired) break;
    if (looked > faults_end_ + kLiveness) break;
  }
  if (violation().empty()) checker_.check_end();
  if (violation().empty()) check_schedules();
  return violation().empty();
}

// Each time that a schedule has came to something, once.
void Run::check_schedules() {
  for (const auto& [name, row] : database_.schedules()) {
    const auto& schedule = row.schedule;
    if (schedule.next_at) return world_.violated("a schedule did not come to its end");
    const auto spec = check_schedule(schedule, schedules_.at(schedule.name));
    const auto wanted = occurrences_after(*spec, schedule, schedules_.at(schedule.name), 1'000);
    std::size_t met = static_cast<std::size_t>(row.missed);
    for (const auto& [nominal, run] : row.runs) met += run.skipped != "missed" ? 1 : 0;
    if (met != wanted.size()) {
      world_.violated(
          fmt::format("schedule {}: {} of {} occurrences", schedule.name, met, wanted.size()));
    }
  }
}

Run::Summary Run::summary() const {
  return {tasks_, checker_.sends(), checker_.repeated(), world_.elapsed()};
}

}  // namespace postern::simulation
