// Looks host names up without blocking and without a thread, over c-ares. Knows nothing of HTTP.
// Reads /etc/hosts and /etc/resolv.conf, not nsswitch.conf.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace postern::scheduler {

// Numeric, IPv4 before IPv6, at most 16; empty: the name has none, or no server would say.
using Addresses = std::vector<std::string>;

// Confined to one thread. Its owner waits for fd() and next_timer(), then calls process().
class Resolver {
 public:
  using Clock = std::chrono::steady_clock;
  struct Options {
    std::string servers;  // "127.0.0.1:5353,..." instead of those of resolv_conf; for tests
    std::string resolv_conf = "/etc/resolv.conf";  // followed when it changes
    std::uint16_t port = 53;                       // of the servers in resolv_conf
    std::size_t max_lookups = 256;                 // at once; the rest wait in line
    std::chrono::milliseconds first_try{1500};     // the wait doubles with each further try
    int tries = 3;
    std::chrono::milliseconds kept{5000};          // how long found addresses are kept
    std::chrono::milliseconds kept_failure{1000};  // and that there are none
    std::size_t max_kept = 4096;
  };
  // Throws std::runtime_error when c-ares or epoll cannot be set up.
  explicit Resolver(Options options);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // What a lookup of the last seconds found; nullptr: nothing is known. Valid until the next call
  // of anything here.
  const Addresses* recall(const std::string& name) const;

  // Looks `name` up; joins a lookup of it that is under way. The answer comes from take_answers(),
  // never from within this call. When its turn does not come by `until`, it is not asked for
  // and there is no answer.
  void look_up(const std::string& name, Clock::time_point until);

  struct Answer {
    std::string name;
    Addresses addresses;
  };
  std::vector<Answer> take_answers();

  // Readable when process() has something to do.
  int fd() const;
  // When process() must be called though fd() is silent.
  std::optional<Clock::time_point> next_timer() const;
  void process();

  // Lookups that have been sent and have no answer yet.
  std::size_t lookups() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace postern::scheduler
