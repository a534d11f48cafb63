// The lanes that are known to have work, and how free slots are shared among them. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "db/deliveries.h"

namespace postern::scheduler {

class KnownLanes {
 public:
  // These may have work, says a tick or a notification.
  void add(std::span<const std::int64_t> lanes);

  bool empty() const { return lanes_.empty(); }
  std::size_t size() const { return lanes_.size(); }

  // Shares `free` slots: each lane gets the same, what does not divide goes to the next ones in
  // turn. One lane alone gets all of them.
  std::vector<db::LaneSlots> share(int free);

  // What a claim of `asked` brought. A lane that had less than was asked for is forgotten, unless
  // it has been added since: its new work may have come too late for that claim.
  void claimed(std::span<const db::LaneSlots> asked, std::span<const db::Claimed> tasks);

 private:
  std::map<std::int64_t, bool> lanes_;  // whether it was added since the last share()
  std::int64_t last_favoured_ = 0;
};

// The lane ids of a notification, "1,-2,3". Empty means: look yourself; so does anything that is
// not ids.
std::vector<std::int64_t> parse_lanes(std::string_view payload);

}  // namespace postern::scheduler
