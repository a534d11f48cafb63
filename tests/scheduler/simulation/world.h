// Time, chance and the record of a simulated run. Nothing in a run depends on anything else, so a
// seed is a run.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/time/time.h"

namespace postern::simulation {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t bits() { return engine_(); }
  // From `least` to `most`, both included.
  std::int64_t number(std::int64_t least, std::int64_t most) {
    return least +
           static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(most - least + 1));
  }
  bool chance(double probability) {
    return static_cast<double>(engine_() >> 11) * 0x1p-53 < probability;
  }
  Microseconds time(Microseconds least, Microseconds most) {
    return Microseconds{number(least.count(), most.count())};
  }
  Uuid uuid();

 private:
  std::mt19937_64 engine_;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random(seed) {}

  Monotonic now() const { return now_; }
  Microseconds elapsed() const { return std::chrono::floor<Microseconds>(now_ - kBegin); }
  // The database's clock, which may jump.
  Time database_clock() const { return kEpoch + elapsed() + jumped_; }
  Time latest_database_clock() const { return std::max(latest_, database_clock()); }
  void jump(Microseconds by);
  bool ever_jumped() const { return ever_jumped_; }
  // A machine's clock is right but for its error.
  Time true_clock() const { return kEpoch + elapsed(); }

  void at(Monotonic when, std::function<void()> what);
  void after(Microseconds wait, std::function<void()> what) { at(now_ + wait, std::move(what)); }
  // Does what comes next. False: there is nothing.
  bool step();

  // What happened, for the hash of the run and for people. `who` and `what` are constants.
  void record(const char* what, int who, const Uuid& id = {}, std::int64_t number = 0);
  std::uint64_t hash() const { return hash_; }
  std::string last_events() const;
  // Prints each event as it comes.
  void trace() { tracing_ = true; }

  // A rule was broken: the run is over.
  void violated(const std::string& rule);
  const std::string& violation() const { return violation_; }

  Random random;

 private:
  static constexpr Monotonic kBegin{std::chrono::hours{1}};
  static constexpr Time kEpoch{Seconds{1'800'000'000}};

  struct Planned {
    Monotonic when;
    std::uint64_t number;
    std::function<void()> what;
    bool operator>(const Planned& other) const {
      return std::pair(when, number) > std::pair(other.when, other.number);
    }
  };
  struct Event {
    Microseconds at;
    const char* what;
    int who;
    Uuid id;
    std::int64_t number;
  };
  static std::string line(const Event& event);

  Monotonic now_ = kBegin;
  Microseconds jumped_{0};
  Time latest_{};
  bool ever_jumped_ = false;
  std::vector<Planned> planned_;  // a heap
  std::uint64_t last_number_ = 0;
  std::uint64_t hash_ = 14695981039346656037u;
  std::deque<Event> events_;
  bool tracing_ = false;
  std::string violation_;
};

}  // namespace postern::simulation
