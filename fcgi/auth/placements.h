// Where tenants are, as the handlers know it: for verdicts, which name a tenant's present cell, and
// for requests of tenants that have left.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "db/catalog/placement.h"
#include "db/pg/pool.h"

namespace postern {

// Thread-safe. Those on their way, and those that have left since, are read when somebody asks, at
// most twice a second, by one thread at a time. Where some have left, each tenant is asked about
// the first time that it is met: what a look reads does not grow with those that have left.
class Placements {
 public:
  // The pools must outlive it. `other_pool`: for when looks by `pool` do not come back. `cell`:
  // this one's label; empty: it has none.
  Placements(db::Pool& pool, db::Pool& other_pool, std::string cell)
      : pool_(pool), other_pool_(other_pool), cell_(std::move(cell)) {}

  const std::string& cell() const { return cell_; }

  // nullopt: the tenant is here, or there is none of this name. That a tenant begins to leave is
  // seen a second later at the latest; from then on each question about it asks the database, so
  // that whoever was told that it is here, or still here, was told so after asking. While a look is
  // under way others go on with what is known, but once that is a second old each asks for itself.
  // When the database is away it is what was known last. Where some have left and nothing is known
  // of this one, it throws that the database is away, or its connections are busy.
  std::optional<db::Placement> of(const std::string& tenant);

  // Whether there may be any for which `of` says something.
  bool any();

  // False, too, when nobody can say: for who asks again.
  bool is_elsewhere(const std::string& tenant);

 private:
  using Clock = std::chrono::steady_clock;

  bool is_trusted() const;
  void look_if_due();
  void look();
  void note(const db::PlacementChanges& changes, Clock::time_point began);

  db::Pool& pool_;
  db::Pool& other_pool_;
  const std::string cell_;
  std::atomic<Clock::rep> due_ = Clock::time_point::min().time_since_epoch().count();
  std::atomic<Clock::rep> trusted_until_ = Clock::time_point::min().time_since_epoch().count();
  std::atomic<bool> any_ = false;   // there are such tenants
  std::atomic<bool> away_ = false;  // the last look found that no new connection is to be had

  std::mutex mutex_;  // guards all below
  bool looking_ = false;
  Clock::time_point seen_ = Clock::time_point::min();
  std::optional<Time> seen_at_;  // by the database's clock
  int looks_ = 0;                // that have succeeded
  // What was said last of those that somebody asked about, or that were seen on their way; nullopt:
  // here, which is true until a look says otherwise.
  std::map<std::string, std::optional<db::Placement>> known_;
};

}  // namespace postern
