#include "scheduler/duties/housekeeping.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/base/url.h"
#include "core/base/uuid.h"
#include "core/model/ids.h"
#include "core/model/lane.h"
#include "core/model/queue.h"
#include "core/model/retry_policy.h"
#include "core/model/validation.h"
#include "core/program/log.h"
#include "core/program/task_ids.h"
#include "core/wire/callback.h"
#include "db/catalog/endpoints.h"
#include "db/engine/gauges.h"
#include "db/engine/housekeeping.h"
#include "scheduler/delivery/outcome.h"
#include "scheduler/duties/schedules.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr int kPromotions = 1000;
// Looking around takes at most a fifth of the connection's time, however closely due times follow
// each other.
constexpr auto kTickSpacing = 5ms;
constexpr int kTickShare = 4;
// As many as db's statements return at most.
constexpr std::size_t kRouted = 500;
// Until whoever sees to the sequels is through.
constexpr auto kBusy = 20ms;
constexpr std::int64_t kExpired = 10'000;
constexpr std::int64_t kForgotten = 10'000;
// What is fired at once, so that a long absence does not keep the loop from its heartbeat; the rest
// is still due.
constexpr std::size_t kOccurrences = 1000;
constexpr auto kPlanning = 50ms;
// Each scheduler looks so often, and measures when no other has done so a little while ago. Claims
// wait behind it, so it takes at most a fiftieth of the connection's time.
constexpr Seconds kMeasured = 10s;
constexpr Milliseconds kMeasuredLately = 8s;
constexpr int kMeasureShare = 49;

// The wire, the queue's name and the ranges were checked by SQL.
Result<Url> check(const TaskSpec& spec) {
  auto url = parse_url(spec.url, "url");
  if (!url) return url;
  if (const auto ok = check_headers(spec.headers, "headers"); !ok) return ok.error();
  if (const auto ok = RetryPolicy::parse(spec.retry_policy); !ok) return ok.error();
  if (!spec.content_type.empty()) {
    if (const auto ok = check_content_type(spec.content_type, "content_type"); !ok) {
      return ok.error();
    }
  }
  if (spec.tags.size() > kMaxTags) {
    return invalid("tags_too_many", "tags", "There are more tags than a task may have.");
  }
  for (const auto& tag : spec.tags) {
    if (const auto ok = check_tag(tag, "tags"); !ok) return ok.error();
  }
  return url;
}

}  // namespace

Housekeeping::Housekeeping(Options options, db::Channel& duties, db::Channel& beats,
                           Dispatcher& dispatcher, std::function<std::string()> gauges)
    : options_(std::move(options)),
      dispatcher_(dispatcher),
      gauges_(std::move(gauges)),
      duties_{{
          {"beat", beat_period(options_.rescue_after), &beats, &Housekeeping::beat, {}},
          {"tick", 1s, &duties, &Housekeeping::tick, {}},
          {"rescue", 0s, &duties, &Housekeeping::rescue, Monotonic::max()},
          {"route", 0s, &duties, &Housekeeping::route, Monotonic::max()},
          {"follow", 0s, &duties, &Housekeeping::follow, Monotonic::max()},
          {"fire", 0s, &duties, &Housekeeping::fire, Monotonic::max()},
          {"make_partitions", 1h, &duties, &Housekeeping::make_partitions, {}},
          {"drop_partitions", 10min, &duties, &Housekeeping::drop_partitions, {}},
          {"expire_keys", 1min, &duties, &Housekeeping::expire_keys, {}},
          {"expire_entries", 5s, &duties, &Housekeeping::expire_entries, {}},
          {"fold_counters", 10min, &duties, &Housekeeping::fold_counters, {}},
          {"collect_lanes", 10min, &duties, &Housekeeping::collect_lanes, {}},
          {"forget_dependencies", 1h, &duties, &Housekeeping::forget_dependencies, {}},
          {"tell_health", 5s, &duties, &Housekeeping::tell_health, {}},
          {"expire_health", 10min, &duties, &Housekeeping::expire_health, {}},
          {"forget_runs", 6h, &duties, &Housekeeping::forget_runs, {}},
          {"measure_queues", kMeasured, &duties, &Housekeeping::measure_queues, {}},
      }},
      judge_(options_.instance, options_.name, options_.rescue_after) {}

bool Housekeeping::may_run(const Duty& duty) const {
  const bool is_beat = duty.run == &Housekeeping::beat;
  return duty.under_way == 0 && duty.channel->connected() &&
         (is_beat || (has_beaten_ && !stopped_));
}

void Housekeeping::turn(Monotonic now) {
  if (const auto retry = dispatcher_.settler().take_retry_at()) {
    at(Id::tick).next = std::min(at(Id::tick).next, *retry);
  }
  if (dispatcher_.settler().take_sequels()) at(Id::follow).next = {};
  for (auto& duty : duties_) {
    if (!may_run(duty) || now < std::max(duty.next, duty.not_before)) continue;
    duty.next = duty.period > 0s ? now + duty.period : Monotonic::max();
    (this->*duty.run)(duty, now);
  }
}

Monotonic Housekeeping::wake_at() const {
  auto wake = Monotonic::max();
  for (const auto& duty : duties_) {
    if (may_run(duty)) wake = std::min(wake, std::max(duty.next, duty.not_before));
  }
  return wake;
}

void Housekeeping::ask(Duty& duty, const db::Statement& statement, db::Params params, Done done) {
  const auto failed = [this, &duty](const std::string& why) {
    if (const auto more = log_failed_.pass()) {
      log::error("event=duty_failed duty={} more={} error={}", duty.name, *more, log_safe(why));
    }
  };
  ++duty.under_way;
  duty.channel->submit(
      statement, std::move(params),
      [&duty, failed, done = std::move(done)](const db::PgResult& result) {
        --duty.under_way;
        try {
          done(result);
        } catch (const std::exception& fault) {
          failed(fault.what());
        }
      },
      [&duty, failed](const db::PgError& error) {
        --duty.under_way;
        // A lost connection is the loop's to report.
        if (!error.connection_lost() && !error.sqlstate().empty()) failed(error.what());
      });
}

// --- the heart, and what it tells about others --------------------------------------------------

void Housekeeping::beat(Duty& duty, Monotonic) {
  ask(duty, db::kBeat, db::beat_params(options_.instance, options_.name, gauges_()),
      [this, &duty](const db::PgResult& result) {
        has_beaten_ = true;
        judge_.observe(db::beats_from(result), duty.channel->connects(),
                       std::chrono::steady_clock::now());
        at(Id::rescue).next = {};
      });
}

// A claim whose answer was lost may have left us tasks that we do not know: for them we are dead
// ourselves.
void Housekeeping::rescue(Duty& duty, Monotonic now) {
  auto dead = judge_.dead(now);
  const bool own_too = dispatcher_.claim_unknown();
  if (own_too) dead.push_back(options_.instance);
  ask(duty, db::kOrphans, db::orphans_params(dead),
      [this, own_too, held = dispatcher_.held()](const db::PgResult& result) {
        auto orphans = db::orphans_from(result);
        // What we held when we asked may have been settled since, and what a claim brought since
        // is held now.
        std::erase_if(orphans, [&, held_now = dispatcher_.held()](const db::Orphan& each) {
          return held.contains(each.task.spec.id) || held_now.contains(each.task.spec.id);
        });
        take_over(std::move(orphans), own_too);
      });
}

void Housekeeping::take_over(std::vector<db::Orphan> orphans, bool own_too) {
  if (own_too) dispatcher_.claims_known();
  int rescued = 0, reclaimed = 0;
  for (const auto& [task, instance, gone] :
       judge_.judge(std::move(orphans), std::chrono::steady_clock::now())) {
    // Our own were claimed, but we never saw them: nobody has called their receivers.
    const bool never_sent = own_too && instance == options_.instance;
    const double random = std::uniform_real_distribution<>()(random_);
    dispatcher_.settler().add(never_sent      ? given_back(task)
                              : task.deferred ? deferral_over(task, random)
                                              : lost(task, random));
    ++(never_sent ? reclaimed : rescued);
  }
  if (rescued + reclaimed > 0) {
    log::warn("event=rescued tasks={} reclaimed={}", rescued, reclaimed);
  }
}

// --- work: what is there, and where it goes -----------------------------------------------------

void Housekeeping::tick(Duty& duty, Monotonic now) {
  ask(duty, db::kTick, db::tick_params(kPromotions),
      [this, &duty, now](const db::PgResult& result) { ticked(duty, now, db::tick_from(result)); });
}

void Housekeeping::ticked(Duty& duty, Monotonic begun, const db::Tick& tick) {
  const auto now = std::chrono::steady_clock::now();
  dispatcher_.add_lanes(tick.ready_lanes);
  if (tick.unrouted) at(Id::route).next = {};
  if (tick.sequels) at(Id::follow).next = {};
  if (tick.next_occurrence) {
    at(Id::fire).next = std::min(at(Id::fire).next, now + *tick.next_occurrence);
  }
  if (tick.promoted == kPromotions) {
    duty.next = {};
    duty.not_before = {};
    return;
  }
  if (tick.next_due) duty.next = std::min(duty.next, now + *tick.next_due);
  duty.not_before = now + std::max<Monotonic::duration>(kTickSpacing, kTickShare * (now - begun));
}

void Housekeeping::route(Duty& duty, Monotonic) {
  ask(duty, db::kUnrouted, {},
      [this, &duty](const db::PgResult& result) { routed(duty, db::unrouted_from(result)); });
}

void Housekeeping::routed(Duty& duty, std::span<const Task> tasks) {
  if (tasks.empty()) return;
  std::vector<db::Routing> routings;
  std::vector<std::int64_t> lanes;
  for (const auto& task : tasks) {
    routings.push_back(routing_of(task));
    if (routings.back().invalid.empty()) lanes.push_back(routings.back().lane);
  }
  ask(duty, db::kRoute, db::route_params(options_.instance, routings),
      [this, &duty, lanes, more = tasks.size() == kRouted](const db::PgResult&) {
        dispatcher_.add_lanes(lanes);
        if (more) duty.next = {};
      });
}

void Housekeeping::follow(Duty& duty, Monotonic) {
  ask(duty, db::kSequels, {}, [this, &duty](const db::PgResult& result) {
    const auto sequels = db::sequels_from(result);
    if (!sequels.empty()) see_to(duty, sequels);
  });
}

void Housekeeping::see_to(Duty& duty, const std::vector<db::Sequel>& sequels) {
  std::vector<db::Callback> callbacks;
  for (const auto& sequel : sequels) {
    // By now it may have been retried and ended otherwise: that end has a sequel of its own.
    if (!sequel.ended || !has_callback(*sequel.ended)) continue;
    auto task = callback_of(*sequel.ended, new_id());
    const auto lane = lane_id(task.spec.tenant, task.spec.queue, lane_target(task.spec));
    callbacks.push_back({sequel.id, std::move(task), lane});
  }
  ask(duty, db::kFollow, db::follow_params(options_.instance, sequels, callbacks),
      [this, &duty, more = sequels.size() == db::kSequelsAtOnce](const db::PgResult& result) {
        const auto woken = db::followed_from(result);
        if (more) duty.next = {};
        if (!woken) duty.next = std::chrono::steady_clock::now() + kBusy;
        tick_now();
      });
}

void Housekeeping::fire(Duty& duty, Monotonic) {
  ask(duty, db::kDueSchedules, {}, [this, &duty](const db::PgResult& result) {
    const auto due = db::due_from(result);
    if (!due.schedules.empty()) fire_due(duty, due);
  });
}

void Housekeeping::fire_due(Duty& duty, const db::Due& due) {
  const auto until = std::chrono::steady_clock::now() + kPlanning;
  std::vector<db::Firing> firings;
  std::size_t occurrences = 0;
  for (const auto& each : due.schedules) {
    firings.push_back(plan_firing(each, due.now, due.paused, new_id));
    occurrences += firings.back().occurrences.size();
    if (occurrences >= kOccurrences || std::chrono::steady_clock::now() > until) break;
  }
  ask(duty, db::kFire, db::fire_params(options_.instance, firings),
      [this](const db::PgResult& result) {
        const auto fired = db::fired_from(result);
        if (fired.missed > 0) log::warn("event=occurrences_missed count={}", fired.missed);
        // There may be more, and when the next are due is not known; unless another scheduler took
        // all of them, and will look.
        if (fired.schedules > 0) tick_now();
      });
}

TaskId Housekeeping::new_id() { return new_task_id(); }

db::Routing routing_of(const Task& task) {
  db::Routing routing;
  routing.id = task.spec.id;
  routing.tenant = task.spec.tenant;
  routing.queue = task.spec.queue;
  auto url = check(task.spec);
  const auto queue = check_not_reserved(routing.queue, "queue");
  if (!url || !queue) {
    routing.invalid = url ? queue.error().message : url.error().message;
    return routing;
  }
  routing.url = url->canonical();
  routing.target = url->authority();
  routing.lane = lane_id(routing.tenant, routing.queue, routing.target);
  return routing;
}

// --- the house ----------------------------------------------------------------------------------

void Housekeeping::make_partitions(Duty& duty, Monotonic) {
  ask(duty, db::kMakePartitions, {}, [](const db::PgResult& result) {
    if (const auto made = result.integer(0, 0); made > 0) {
      log::info("event=partitions_made count={}", made);
    }
  });
}

void Housekeeping::drop_partitions(Duty& duty, Monotonic) {
  for (const auto& [retention_class, keep] : {std::pair{"short", options_.retention_short},
                                              std::pair{"standard", options_.retention_standard}}) {
    ask(duty, db::kDropPartition, db::drop_partition_params(retention_class, keep),
        [&duty](const db::PgResult& result) {
          if (result.is_null(0, 0)) return;
          log::info("event=partition_dropped name={}", result.text(0, 0));
          duty.next = {};  // there may be more
        });
  }
}

void Housekeeping::expire_keys(Duty& duty, Monotonic) {
  ask(duty, db::kExpireKeys, {}, [&duty](const db::PgResult& result) {
    if (result.affected() == kExpired) duty.next = {};
  });
}

void Housekeeping::expire_entries(Duty& duty, Monotonic) {
  db::Params params;
  params.uuid(options_.instance);
  ask(duty, db::kExpireEntries, std::move(params), [](const db::PgResult& result) {
    if (const auto ended = result.integer(0, 0); ended > 0) {
      log::info("event=entries_expired tasks={}", ended);
    }
  });
}

void Housekeeping::forget_dependencies(Duty& duty, Monotonic) {
  ask(duty, db::kForgetDependencies, {}, [](const db::PgResult&) {});
}

// What a statement loses is missing from an endpoint's health, and from nothing else.
void Housekeeping::tell_health(Duty& duty, Monotonic) {
  const auto minutes = dispatcher_.health().take();
  if (minutes.empty()) return;
  ask(duty, db::kAddEndpointMinutes, db::endpoint_minutes_params(options_.instance, minutes),
      [](const db::PgResult&) {});
}

void Housekeeping::expire_health(Duty& duty, Monotonic) {
  ask(duty, db::kExpireEndpointMinutes, {}, [](const db::PgResult&) {});
}

void Housekeeping::forget_runs(Duty& duty, Monotonic) {
  ask(duty, db::kForgetRuns, {}, [&duty](const db::PgResult& result) {
    if (result.affected() == kForgotten) duty.next = {};
  });
}

void Housekeeping::fold_counters(Duty& duty, Monotonic) {
  ask(duty, db::kFoldCounters, {}, [](const db::PgResult&) {});
}

void Housekeeping::collect_lanes(Duty& duty, Monotonic) {
  ask(duty, db::kCollectLanes, {}, [](const db::PgResult&) {});
}

void Housekeeping::measure_queues(Duty& duty, Monotonic now) {
  ask(duty, db::kMeasureQueues, db::measure_queues_params(kMeasuredLately),
      [&duty, now](const db::PgResult&) {
        const auto done = std::chrono::steady_clock::now();
        duty.not_before = done + kMeasureShare * (done - now);
      });
}

}  // namespace postern::scheduler
