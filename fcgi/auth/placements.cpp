#include "fcgi/auth/placements.h"

#include <exception>
#include <utility>
#include <vector>

#include "fcgi/server/db_access.h"

namespace postern {
namespace {

constexpr std::chrono::milliseconds kLookEvery{500};
// Looks that are no further apart miss nobody who leaves, whatever happens to the database's clock.
constexpr std::chrono::seconds kContinuous{30};
constexpr std::size_t kMostKnown = 50'000;

}  // namespace

std::optional<db::Placement> Placements::of(const std::string& tenant) {
  look_if_due();
  const bool trusted = is_trusted();
  if (trusted && !any_) return std::nullopt;
  const bool away = !trusted && away_;
  std::optional<db::Placement> known;
  bool met = false;
  int looks = 0;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(tenant); found != known_.end()) {
      if (trusted && !found->second) return std::nullopt;
      known = found->second;
      met = true;
    }
    looks = looks_;
  }
  // Where some have left, who was never met may be one of them.
  const bool may_have_left = any_ && !met;
  if (away) {  // whoever needs the database says so, and waits for it only once
    if (may_have_left) throw db::PgError("the database is away", "", true);
    return known;
  }
  try {
    // Where a look does not come back, it may be the connections of its pool that hang.
    known = read_from(trusted ? pool_ : other_pool_,
                      [&](auto& connection) { return db::placement(connection, tenant); });
  } catch (const std::exception&) {
    if (may_have_left) throw;
    return known;
  }
  const std::lock_guard lock(mutex_);
  if (looks_ != looks) return known;  // a look since then may know better
  if (known_.size() >= kMostKnown) known_.clear();
  known_[tenant] = known;
  return known;
}

bool Placements::is_elsewhere(const std::string& tenant) {
  try {
    const auto place = of(tenant);
    return place && place->is_elsewhere();
  } catch (const std::exception&) {
    return false;
  }
}

bool Placements::any() {
  look_if_due();
  return any_ || !is_trusted();
}

bool Placements::is_trusted() const {
  return Clock::now().time_since_epoch().count() < trusted_until_;
}

void Placements::look_if_due() {
  const auto now = Clock::now().time_since_epoch().count();
  if (now < due_) return;
  {
    const std::lock_guard lock(mutex_);
    if (looking_ || now < due_) return;
    looking_ = true;
  }
  look();
}

// By the thread that has set looking_.
void Placements::look() {
  const auto began = Clock::now();
  std::optional<db::PlacementChanges> changes;
  bool away = false;
  try {
    changes = read_from(
        pool_, [&](auto& connection) { return db::placement_changes(connection, seen_at_); });
  } catch (const db::PgError& error) {
    away = error.connection_lost();
  } catch (const std::exception&) {
    // What was known stays.
  }
  const std::lock_guard lock(mutex_);
  looking_ = false;
  away_ = away;
  if (changes) note(*changes, began);
  due_ = (Clock::now() + kLookEvery).time_since_epoch().count();
}

// REQUIRES: mutex_ is held.
void Placements::note(const db::PlacementChanges& changes, Clock::time_point began) {
  // Who was here so long ago is asked about again.
  if (!changes.all || (looks_ > 0 && began - seen_ > kContinuous)) {
    std::erase_if(known_, [](const auto& each) { return !each.second; });
  }
  if (known_.size() >= kMostKnown) known_.clear();
  for (const auto& each : changes.tenants) known_[each.tenant] = each;
  any_ = changes.any;
  seen_ = began;
  trusted_until_ = (began + db::kPlacementsTrusted).time_since_epoch().count();
  seen_at_ = changes.at;
  ++looks_;
}

}  // namespace postern
