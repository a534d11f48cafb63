#include "scheduler/loop.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <exception>

#include "core/program/log.h"
#include "db/catalog/notices.h"
#include "db/engine/attempt_times.h"
#include "db/engine/heartbeat.h"
#include "scheduler/delivery/environment.h"
#include "scheduler/delivery/outcome.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Nothing waits longer, so that a timer we forgot costs a second and no more.
constexpr Milliseconds kLongestWait = 1s;
// For results and for the goodbye, once the transfers are over.
constexpr Seconds kSettleLimit = 5s;

}  // namespace

Loop::Loop(const Settings& settings, const db::PgConnection::Options& database,
           const AddressPolicy& policy, int signals)
    : settings_(settings),
      policy_(policy),
      signals_(signals),
      claims_{"claims", db::Channel(database, "postern_ready")},
      results_{"results", db::Channel(database, "")},
      others_{"duties", db::Channel(database, "")},
      gauges_{"gauges", db::Channel(database, "")},
      http_(std::in_place, client_options(), policy),
      dispatcher_({instance_, settings.slots, settings.places, settings.public_url,
                   static_cast<std::size_t>(settings.unsent_bodies)},
                  claims_.store, results_.store, *http_, machine()),
      duties_(
          {instance_, settings.name, settings.rescue_after, settings.retention_short,
           settings.retention_standard, settings.quota_waiting},
          {others_.store, results_.store, gauges_.store}, dispatcher_, [this] { return gauges(); },
          machine()) {
  if (systemd_.watchdog_period()) watchdog_at_ = Clock::now();
}

int Loop::run() {
  while (!stopping_) turn();
  return drain();
}

void Loop::turn() {
  wait();
  const auto now = Clock::now();
  read_signals();
  drive(now);
  read_notifications();
  duties_.turn(now);
  dispatcher_.turn(now);
  drive(now);  // sends what the two have submitted
  tell_systemd(now);
}

void Loop::wait() {
  std::array<WaitFd, std::tuple_size_v<decltype(lines())> + 1> fds{{{signals_, true, false}}};
  std::size_t count = 1;
  const auto now = Clock::now();
  auto wake = std::min({now + kLongestWait, duties_.wake_at(), watchdog_at_, limit_});
  if (const auto at = dispatcher_.wake_at()) wake = std::min(wake, *at);
  for (const auto* line : lines()) {
    const auto& channel = line->channel;
    if (const auto at = channel.wake_at()) wake = std::min(wake, *at);
    if (channel.socket() >= 0) fds[count++] = {channel.socket(), true, channel.wants_write()};
  }
  const auto timeout = std::chrono::ceil<Milliseconds>(std::max(wake - now, Clock::duration{0}));
  http_->wait(std::span(fds.data(), count), timeout);
}

// A result that cannot be read is a fault of its statement, which must not take all others with it.
void Loop::drive(Monotonic now) {
  for (auto* line : lines()) {
    try {
      line->channel.drive(now);
    } catch (const std::exception& fault) {
      if (const auto more = log_fault_.pass()) {
        log::error("turn failed more={} error=\"{}\"", *more, log_safe(fault.what()));
      }
    }
    report(*line);
  }
}

void Loop::report(Line& line) {
  const bool connected = line.channel.connected();
  if (connected && !line.was_connected) {
    log::info("database connected connection={}", line.name);
    systemd_.status("running");
  } else if (!connected && !line.channel.last_error().empty() && line.log_away.pass()) {
    log::warn("database away connection={} error=\"{}\"", line.name,
              log_safe(line.channel.last_error()));
    systemd_.status("waiting for PostgreSQL");
  }
  line.was_connected = connected;
}

void Loop::read_signals() {
  signalfd_siginfo signal;
  while (read(signals_, &signal, sizeof signal) == sizeof signal) {
    log::info("stopping signal={} in_flight={}", signal.ssi_signo, dispatcher_.in_flight());
    if (std::exchange(stopping_, true)) std::_Exit(1);
  }
}

// Only hints: the duty `promote` finds all work without them.
void Loop::read_notifications() {
  for (const auto& notification : claims_.channel.take_notifications()) {
    if (!duties_.has_beaten()) continue;
    if (notification.payload == db::kLimitsChanged) dispatcher_.limits_changed();
    const auto lanes = parse_lanes(notification.payload);
    lanes.empty() ? duties_.look_for_work() : dispatcher_.add_lanes(lanes);
  }
}

void Loop::tell_systemd(Monotonic now) {
  if (!ready_ && duties_.has_beaten()) {
    ready_ = true;
    log::info("ready version={} name={} instance={} slots={} places={}", POSTERN_VERSION,
              settings_.name, to_uuid(instance_), settings_.slots, settings_.places);
    systemd_.ready();
  }
  if (now >= watchdog_at_) {
    systemd_.watchdog();
    watchdog_at_ = now + *systemd_.watchdog_period() / 3;
  }
}

// Claims no more, lets transfers finish, gives the rest back, says goodbye.
int Loop::drain() {
  systemd_.stopping();
  duties_.stop();
  dispatcher_.stop_claiming();
  const bool finished =
      turn_until([&] { return dispatcher_.in_flight() == 0; }, settings_.drain_timeout);
  if (!finished) {
    log::warn("given back tasks={}", dispatcher_.in_flight());
    // First cut the transfers off, so that none overlaps the next attempt. The dispatcher's
    // reference stays valid: the new client stands where the old one stood.
    http_.emplace(client_options(), policy_);
    dispatcher_.give_back_in_flight();
  }
  if (!turn_until([&] { return dispatcher_.idle(); }, kSettleLimit)) {
    log::error("stopped early unsettled={}", dispatcher_.settler().size());
    return 1;  // they will be rescued
  }
  // A tenant's pause is short as a rule.
  const auto& settler = dispatcher_.settler();
  if (!turn_until([&] { return settler.size() + settler.kept() == 0; }, kSettleLimit)) {
    log::warn("given up results={}", settler.kept());
  }
  const auto times = dispatcher_.settler().take_times();
  if (!times.empty()) {
    const auto ignored = [](const auto&) {};
    results_.channel.submit(db::kCountTimes, times.params(instance_), ignored, ignored);
  }
  bool left = false;
  const auto done = [&](const auto&) { left = true; };
  results_.channel.submit(db::kLeave, db::leave_params(instance_), done, done);
  turn_until([&] { return left; }, kSettleLimit);
  log::info("stopped");
  return 0;
}

bool Loop::turn_until(const std::function<bool()>& done, Seconds limit) {
  limit_ = Clock::now() + limit;
  while (!done() && Clock::now() < limit_) turn();
  limit_ = Monotonic::max();
  return done();
}

HttpClient::Options Loop::client_options() const {
  HttpClient::Options options;
  options.user_agent = "Postern/" POSTERN_VERSION;
  options.ca_file = settings_.ca_file;
  options.read_headers = headers_read();
  return options;
}

SchedulerGauges Loop::gauges() const {
  SchedulerGauges gauges;
  gauges.slots = settings_.slots;
  gauges.in_flight = static_cast<std::int64_t>(dispatcher_.in_flight());
  gauges.parked = dispatcher_.pacing().parked();
  gauges.unsettled = static_cast<std::int64_t>(dispatcher_.unsettled());
  gauges.egress_denied = static_cast<std::int64_t>(http_->egress_denied());
  gauges.egress_ports_allow = settings_.egress_ports_allow;
  gauges.cell = settings_.cell;
  for (const auto& lane : dispatcher_.pacing().stopped()) {
    gauges.lanes.push_back({lane.lane, std::string(name(lane.state))});
  }
  return gauges;
}

}  // namespace postern::scheduler
