// The sockets of libcurl in an epoll set, so that the cost of a wake-up depends on the ready
// sockets and not on all. libcurl stops watching a connection at the end of each transfer and
// watches it again at the start of the next; the socket stays in the set meanwhile, which saves two
// system calls each. Internal: only this folder includes it.
#pragma once

#include <curl/curl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/epoll.h>

namespace postern::scheduler {

class SocketSet {
 public:
  // Throws std::runtime_error when there is no descriptor for it.
  SocketSet();
  ~SocketSet();
  SocketSet(const SocketSet&) = delete;
  SocketSet& operator=(const SocketSet&) = delete;

  // Becomes readable when take_ready() has something to return.
  int fd() const { return epoll_; }

  // Must be told of every new socket: closing takes a socket out of the set, unseen from here, and
  // its number is used again.
  void opened(int fd);
  // One of `opened` is connected, the one whose own port is `port`. `ends` names both ends of the
  // connection, which is all that libcurl tells of one that it uses again.
  void connected(std::span<const int> opened, const std::string& ends, int port);
  // The socket that was last connected between these ends; -1: none.
  int between(const std::string& ends) const;
  // libcurl's wish for `fd`: CURL_POLL_IN, _OUT, _INOUT; _REMOVE: none. `owner` comes back with
  // what happens.
  void watch(int fd, int wish, void* owner);

  struct Ready {
    int fd;
    std::uint32_t opening;  // tells sockets of the same number apart
    int what;               // CURL_CSELECT_*
  };
  // Some of the sockets that are ready now, those that libcurl does not watch left out.
  std::span<const Ready> take_ready();
  // Whom to tell of `ready`; nullptr when its socket has been closed or left since.
  void* owner(const Ready& ready) const;

 private:
  struct Socket {
    std::uint32_t opening = 0;     // counted
    std::uint32_t registered = 0;  // the events in the set; 0: it is not there
    void* owner = nullptr;         // nullptr: libcurl does not watch it
    std::string ends{};            // empty: not connected
  };
  Socket& at(int fd);
  void change(int operation, int fd, std::uint32_t events);

  int epoll_;
  std::vector<Socket> sockets_;  // by descriptor
  std::unordered_map<std::string, int> by_ends_;
  std::array<epoll_event, 256> events_;
  std::array<Ready, 256> ready_;
};

}  // namespace postern::scheduler
