// How many bytes of bodies are under way at the same time, so that however many requests come, the
// memory for them is bounded. Those that do not fit are refused before they are read.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace postern {

// Thread-safe. It must outlive its passes.
class BodyBudget {
 public:
  // Up to here a body is small, in bytes.
  static constexpr std::size_t kSmall = 64 * 1024;

  // In bytes. Large bodies leave an eighth of it to small ones, and those of one tenant have three
  // quarters of it at most.
  explicit BodyBudget(std::size_t bytes) : bytes_(bytes) {}

  // Room for a body, until the last copy of it has gone; empty: there is none at the moment. A body
  // over what a tenant may have takes all of that.
  using Pass = std::shared_ptr<void>;
  Pass enter(const std::string& tenant, std::size_t bytes);

  // Of bodies that have a pass.
  std::size_t in_flight() const;

 private:
  void leave(const std::string& tenant, std::size_t bytes, bool large);

  const std::size_t bytes_;
  mutable std::mutex mutex_;  // guards the rest
  std::size_t small_ = 0, large_ = 0;
  std::map<std::string, std::size_t> large_of_;
};

}  // namespace postern
