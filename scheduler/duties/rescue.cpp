#include "scheduler/duties/rescue.h"

#include <algorithm>
#include <utility>

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr Milliseconds kBeatPeriod = 5s;
constexpr Seconds kOwnNameAfter = 11s;  // two beats and a little

}  // namespace

Milliseconds beat_period(Seconds rescue_after) {
  return std::min<Milliseconds>(kBeatPeriod, Milliseconds(rescue_after) / 4);
}

Rescue::Rescue(const Uuid& self, std::string name, Seconds rescue_after)
    : self_(self), name_(std::move(name)), rescue_after_(rescue_after) {}

void Rescue::observe(std::span<const db::Heartbeat> beats, int connects, Monotonic now) {
  const bool gap = now - last_look_ > 3 * beat_period(rescue_after_);
  if (connects != std::exchange(connects_, connects) || gap) {
    seen_.clear();
    expired_.clear();
  }
  last_look_ = now;
  std::map<Uuid, Seen> seen;
  for (const auto& [id, name, beat] : beats) {
    const auto before = seen_.find(id);
    const bool unchanged = before != seen_.end() && before->second.beat == beat;
    seen[id] = {name, beat, unchanged ? before->second.since : now};
  }
  seen_ = std::move(seen);
}

std::vector<Uuid> Rescue::dead(Monotonic now) const {
  std::vector<Uuid> dead;
  for (const auto& [id, seen] : seen_) {
    const auto after = seen.name == name_ ? std::min(rescue_after_, kOwnNameAfter) : rescue_after_;
    if (id != self_ && now - seen.since >= after) dead.push_back(id);
  }
  return dead;
}

std::vector<db::Orphan> Rescue::judge(std::vector<db::Orphan> orphans, Monotonic now) {
  auto before = std::exchange(expired_, {});
  std::erase_if(orphans, [&](const db::Orphan& orphan) {
    if (orphan.instance_gone) return false;
    const Key key{orphan.task.spec.id, orphan.task.lease};
    const auto since = before.emplace(key, now).first->second;
    expired_[key] = since;
    return now - since < rescue_after_;
  });
  return orphans;
}

}  // namespace postern::scheduler
