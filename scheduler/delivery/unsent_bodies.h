// How many bytes of bodies are held for attempts that have not sent them. Pure.
#pragma once

#include <cstddef>

#include <boost/unordered/unordered_flat_map.hpp>

#include "scheduler/delivery/parking.h"

namespace postern::scheduler {

// Claims go on while there is room, and what one claim brings may go beyond: so the largest body
// finds its time, too. A tenant has three quarters of it at most. Confined to one thread.
class UnsentBodies {
 public:
  explicit UnsentBodies(std::size_t bytes) : bytes_(bytes) {}

  // Whether this tenant may claim more.
  bool has_room(LaneTenant tenant) const;
  std::size_t held() const { return held_; }
  std::size_t held_by(LaneTenant tenant) const;

  // The attempt holds so many bytes from now on.
  void hold(AttemptNumber attempt, LaneTenant tenant, std::size_t bytes);
  // It holds none. Whether it held some.
  bool let_go(AttemptNumber attempt);

 private:
  struct Body {
    LaneTenant tenant;
    std::size_t bytes;
  };

  const std::size_t bytes_;
  std::size_t held_ = 0;
  boost::unordered_flat_map<AttemptNumber, Body> bodies_;         // without those of none
  boost::unordered_flat_map<LaneTenant, std::size_t> by_tenant_;  // without zeros
};

}  // namespace postern::scheduler
