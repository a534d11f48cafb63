// The scheduler's one thread and its one wait: transfers, four connections to PostgreSQL, signals
// and timers. Knows in which order a turn goes and how the program ends.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>

#include "core/base/uuid.h"
#include "core/program/config.h"
#include "core/program/log_throttle.h"
#include "db/engine/pg_store.h"
#include "db/pg/channel.h"
#include "scheduler/delivery/dispatcher.h"
#include "scheduler/duties/duties.h"
#include "scheduler/http/address_policy.h"
#include "scheduler/http/client.h"
#include "scheduler/sd_notify.h"

namespace postern::scheduler {

class Loop {
 public:
  // `settings` has its name filled in; `signals` is a signalfd of those that end the program. What
  // is given by reference must outlive the loop. REQUIRES: one CurlGlobal lives.
  Loop(const Settings& settings, const db::PgConnection::Options& database,
       const AddressPolicy& policy, int signals);

  // Runs until a signal asks to end, then drains. Returns the exit code. A second signal ends the
  // process at once.
  int run();

 private:
  // A connection and what was last said about it.
  struct Line {
    const char* name;
    db::Channel channel;
    db::PgStore store{channel};
    bool was_connected = false;
    LogThrottle log_away = {};
  };

  std::array<Line*, 4> lines() { return {&claims_, &results_, &others_, &gauges_}; }
  void turn();
  void wait();
  void drive(Monotonic now);
  void read_signals();
  void read_notifications();
  void report(Line& line);
  void tell_systemd(Monotonic now);

  int drain();
  // False when `done` has not come true within `limit`.
  bool turn_until(const std::function<bool()>& done, Seconds limit);

  HttpClient::Options client_options() const;
  SchedulerGauges gauges() const;

  const Settings& settings_;
  const AddressPolicy& policy_;
  const int signals_;
  const Uuid instance_ = random_uuid();
  // A connection each, so that no duty holds up a claim or a result.
  Line claims_;
  Line results_;  // and the heartbeat
  Line others_;   // all other duties
  Line gauges_;   // but for the one that reads whatever there is
  std::optional<HttpClient> http_;
  Dispatcher dispatcher_;
  Duties duties_;
  SdNotify systemd_;
  Monotonic watchdog_at_ = Monotonic::max();
  Monotonic limit_ = Monotonic::max();  // of the wait, while draining
  bool ready_ = false;
  bool stopping_ = false;
  LogThrottle log_fault_;
};

}  // namespace postern::scheduler
