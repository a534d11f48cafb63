// How much of something scarce is in use at the same time, and how much of it each tenant has: one
// mechanism for whatever requests of several tenants share, so that none of them keeps the others
// out.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace postern {

// Of so many places for all tenants, how many one may hold, so that it never keeps the others out.
constexpr int tenant_share(int places) { return std::max(1, places * 3 / 4); }

// Thread-safe. It must outlive its passes.
class ConcurrencyLimit {
 public:
  struct Options {
    int places;            // for all tenants
    int share;             // of these, for one
    std::size_t line = 0;  // how many of a tenant may wait for a place
    std::chrono::milliseconds patience{5'000};
  };
  ConcurrencyLimit(Options options) : options_(options) {}
  // So many places, of which a tenant has its share (tenant_share).
  static Options shared(int places, std::size_t line = 0) {
    return {.places = places, .share = tenant_share(places), .line = line};
  }

  // A place, until the last copy of it has gone; empty: there is none.
  using Pass = std::shared_ptr<void>;
  Pass enter(const std::string& tenant);

  // Calls `work` with a place once there is one, the tenants in turn: now, or on the thread that
  // gives a place back, which it must not hold up. Without a place (empty), when another has the
  // place that came free, and it has waited for longer than `patience`. False: the tenant's line is
  // full, and it is not called. Work that waits when this ends is dropped.
  using Work = std::function<void(Pass)>;
  bool line_up(const std::string& tenant, Work work);

 private:
  struct Waiter {
    std::chrono::steady_clock::time_point since;
    Work work;
  };
  struct Tenant {
    int inside = 0;
    std::deque<Waiter> line;
  };

  bool has_place(const Tenant& tenant) const;
  Pass admit(const std::string& tenant, Tenant& who);
  void leave(const std::string& tenant);
  std::vector<Work> take_tired();

  const Options options_;
  std::mutex mutex_;  // guards the members below
  int inside_ = 0;
  std::map<std::string, Tenant> tenants_;  // those with a place or in line
  std::deque<std::string> next_;           // those in line, each once
};

}  // namespace postern
