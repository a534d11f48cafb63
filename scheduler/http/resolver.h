// A non-blocking resolver of host names over c-ares, without a thread of its own. It reads
// /etc/hosts and /etc/resolv.conf, not nsswitch.conf.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace postern::scheduler {

// Numeric addresses, IPv4 before IPv6, at most 16. Empty: the name has none, or no server answered.
using Addresses = std::vector<std::string>;

// Confined to one thread. Its owner waits for fd() and next_timer(), then calls process().
class Resolver {
 public:
  using Clock = std::chrono::steady_clock;
  struct Options {
    std::string servers;  // for tests: "127.0.0.1:5353,..." instead of those of resolv_conf
    std::string resolv_conf = "/etc/resolv.conf";  // read again when it changes
    std::uint16_t port = 53;                       // of the servers in resolv_conf
    std::size_t max_lookups = 256;                 // concurrent; further ones are queued
    std::chrono::milliseconds first_try{1500};     // timeout of the first try, doubled with each
    int tries = 3;
    std::chrono::milliseconds kept{5000};          // how long addresses are cached
    std::chrono::milliseconds kept_failure{1000};  // how long an empty answer is cached
    std::size_t max_kept = 4096;                   // cached names
  };
  // Throws std::runtime_error when c-ares or epoll cannot be set up.
  explicit Resolver(Options options);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // The cached answer for `name`; nullptr when there is none. Valid until the next call of any
  // member.
  const Addresses* recall(const std::string& name) const;

  // Looks `name` up, or joins a lookup of it that is under way. take_answers() returns the answer,
  // never within this call. A lookup that is still queued at `until` is dropped without an answer.
  void look_up(const std::string& name, Clock::time_point until);

  struct Answer {
    std::string name;
    Addresses addresses;
  };
  std::vector<Answer> take_answers();

  // Becomes readable when process() must be called.
  int fd() const;
  // When process() must be called even if fd() is not readable; nullopt: no timer is set.
  std::optional<Clock::time_point> next_timer() const;
  void process();

  // The number of lookups that have been sent and not answered yet.
  std::size_t lookups() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace postern::scheduler
