// The epoll set of libcurl's sockets: what stays in it between transfers, and what is reported.
#include "scheduler/http/socket_set.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <fmt/format.h>

namespace postern::scheduler {
namespace {

// A connection: `near` is the socket in the set.
struct Pair {
  Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    near = fds[0];
    far = fds[1];
  }
  ~Pair() {
    close(near);
    close(far);
  }
  void send() const { EXPECT_EQ(write(far, "x", 1), 1); }

  int near, far;
};

class Sockets : public testing::Test {
 protected:
  // What the kernel says of the set: "in", "" when the socket is not there.
  std::string registered(int fd) const {
    std::ifstream info(fmt::format("/proc/self/fdinfo/{}", set.fd()));
    for (std::string line; std::getline(info, line);) {
      std::istringstream words(line);
      std::string word;
      int number = -1;
      unsigned events = 0;
      words >> word >> number >> word >> std::hex >> events;
      if (!line.starts_with("tfd:") || number != fd) continue;
      return fmt::format("{}{}", events & EPOLLIN ? "in" : "", events & EPOLLOUT ? "out" : "");
    }
    return "";
  }

  // "what" of each ready socket, with its owner's text.
  std::string ready() {
    std::string all;
    for (const SocketSet::Ready& ready : set.take_ready()) {
      const auto* owner = static_cast<const char*>(set.owner(ready));
      all += fmt::format("{}{}:{} ", ready.what & CURL_CSELECT_IN ? "in" : "",
                         ready.what & CURL_CSELECT_OUT ? "out" : "", owner ? owner : "nobody");
    }
    return all;
  }

  bool wakes() const {
    pollfd fd{set.fd(), POLLIN, 0};
    return poll(&fd, 1, 0) == 1;
  }

  char first[6] = "first";
  char second[7] = "second";
  SocketSet set;
};

TEST_F(Sockets, AreReportedToTheirOwnerAsTheyWereAskedFor) {
  const Pair a, b;
  set.opened(a.near);
  set.opened(b.near);
  set.watch(a.near, CURL_POLL_IN, first);
  set.watch(b.near, CURL_POLL_OUT, second);
  EXPECT_EQ(ready(), "out:second ");
  a.send();
  set.watch(b.near, CURL_POLL_IN, second);
  EXPECT_EQ(ready(), "in:first ");
  set.watch(a.near, CURL_POLL_INOUT, first);
  EXPECT_EQ(ready(), "inout:first ");
}

TEST_F(Sockets, StayInTheSetBetweenTransfers) {
  const Pair a;
  set.opened(a.near);
  set.watch(a.near, CURL_POLL_IN, first);
  set.watch(a.near, CURL_POLL_REMOVE, first);
  EXPECT_EQ(registered(a.near), "in");
  set.watch(a.near, CURL_POLL_IN, second);
  a.send();
  EXPECT_EQ(ready(), "in:second ");
}

// The server closes an idle connection: no wake-up after the first, and none is lost later.
TEST_F(Sockets, LeaveTheSetWhenSomethingHappensWhileNobodyWatches) {
  const Pair a;
  set.opened(a.near);
  set.watch(a.near, CURL_POLL_IN, first);
  set.watch(a.near, CURL_POLL_REMOVE, first);
  a.send();
  EXPECT_TRUE(wakes());
  EXPECT_EQ(ready(), "");
  EXPECT_FALSE(wakes());
  EXPECT_EQ(registered(a.near), "");
  set.watch(a.near, CURL_POLL_IN, first);
  EXPECT_EQ(ready(), "in:first ");
}

TEST_F(Sockets, OfTheSameNumberAreToldApart) {
  auto a = std::make_unique<Pair>();
  const int number = a->near;
  set.opened(number);
  set.watch(number, CURL_POLL_IN, first);
  a->send();
  const auto seen = set.take_ready();
  ASSERT_EQ(seen.size(), 1u);
  const SocketSet::Ready old = seen[0];
  EXPECT_EQ(set.owner(old), first);

  a.reset();
  const Pair b;
  ASSERT_TRUE(b.near == number || dup2(b.near, number) == number);
  set.opened(number);
  set.watch(number, CURL_POLL_IN, second);
  EXPECT_EQ(set.owner(old), nullptr) << "what happened to the closed one";
  EXPECT_EQ(registered(number), "in");
  b.send();
  EXPECT_EQ(ready(), "in:second ");
  if (b.near != number) close(number);
}

}  // namespace
}  // namespace postern::scheduler
