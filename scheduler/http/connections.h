// The connections of HttpClient, in several multi handles of libcurl. A handle searches all of its
// connections to a host when a transfer starts; and once a second its idle ones, with a system call
// for each, from the beginning after each one that it closes. Few connections in each keep both
// short. Internal: only this folder includes it.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "scheduler/http/socket_set.h"
#include "scheduler/http/transfer.h"

namespace postern::scheduler {

// Confined to one thread.
class Connections {
 public:
  using Clock = std::chrono::steady_clock;

  // `kept`: the limit of idle connections. Throws std::runtime_error when libcurl or epoll cannot
  // be set up.
  explicit Connections(std::size_t kept);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  SocketSet& sockets() { return sockets_; }

  // Gives a prepared transfer to libcurl. It must live until it has ended or been removed.
  void start(Transfer& transfer);
  void remove(Transfer& transfer);

  // When advance() must be called even if the sockets are not ready; nullopt: no timer is set.
  std::optional<Clock::time_point> next_timer() const;
  // Advances the transfers and tells of each that ended; it is removed by then.
  using Ended = std::function<void(Transfer&, CURLcode)>;
  void advance(bool sockets_ready, const Ended& ended);

 private:
  struct Group;
  // Where an idle connection probably is. If it is not, because its end closed it, libcurl opens
  // another one there.
  struct Idle {
    Group* group;
    Clock::time_point since;
  };

  static int on_socket(CURL*, curl_socket_t, int, void*, void*) noexcept;
  static int on_timer(CURLM*, long, void*) noexcept;

  void add(Transfer& transfer, Group* idle, Clock::time_point now);
  Group* take_idle(std::size_t origin, Clock::time_point now);
  void limit_kept(Group& group) const;
  void take_ended(Group& group, const Ended& ended);
  void close_old(Clock::time_point now, const Ended& ended);

  SocketSet sockets_;
  std::size_t kept_by_each_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::size_t last_chosen_ = 0;
  std::unordered_map<std::size_t, std::vector<Idle>> idle_;  // by Transfer::origin(), oldest first
  // By origin: those that sent bytes behind an answer, and until when none of their connections is
  // used twice. What comes too late to be seen before the next request would pass for its answer.
  std::unordered_map<std::size_t, Clock::time_point> mixed_up_;
  Clock::time_point close_old_at_;
  std::unique_ptr<CURL, FreeEasy> nowhere_;  // a transfer that opens no connection
};

}  // namespace postern::scheduler
