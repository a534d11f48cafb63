#include "scheduler/sd_notify.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace postern::scheduler {
namespace {

// systemd's side of the socket.
class Manager {
 public:
  // `name` as in $NOTIFY_SOCKET.
  explicit Manager(const std::string& name) : path_(name) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = offsetof(sockaddr_un, sun_path) + name.size() + (name.front() == '@' ? 0 : 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size)),
              0)
        << name;
  }
  ~Manager() {
    close(fd_);
    if (path_.front() != '@') unlink(path_.c_str());
  }

  // "" when nothing has come.
  std::string next() {
    char buffer[4096];
    const ssize_t count = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    return count < 0 ? "" : std::string(buffer, static_cast<std::size_t>(count));
  }
  // By several senders, since each may also be stopped by its own send buffer.
  void fill() {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    for (bool is_full = false; !is_full;) {
      const int client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      const auto send = [&] {
        return sendto(client, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), size) == 1;
      };
      is_full = !send();
      while (send()) {
      }
      close(client);
    }
  }

 private:
  std::string path_;
  int fd_ = -1;
};

class SdNotifyTest : public testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }
  static std::string unique(const std::string& prefix) {
    return prefix + "postern-notify-" + std::to_string(getpid());
  }
};

TEST_F(SdNotifyTest, TellsOverAPathAndOverAnAbstractSocket) {
  for (const std::string& name : {unique("/tmp/"), unique("@")}) {
    Manager manager(name);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    SdNotify notify;
    notify.ready();
    EXPECT_EQ(manager.next(), "READY=1") << name;
    notify.watchdog();
    EXPECT_EQ(manager.next(), "WATCHDOG=1") << name;
    notify.status("12 tasks under way");
    EXPECT_EQ(manager.next(), "STATUS=12 tasks under way") << name;
    notify.stopping();
    EXPECT_EQ(manager.next(), "STOPPING=1") << name;
    EXPECT_EQ(manager.next(), "") << name;
  }
}

TEST_F(SdNotifyTest, KeepsAStatusOnOneLine) {
  const std::string name = unique("@");
  Manager manager(name);
  setenv("NOTIFY_SOCKET", name.c_str(), 1);
  SdNotify().status("a\nREADY=1\tb");
  EXPECT_EQ(manager.next(), "STATUS=a READY=1 b");
}

TEST_F(SdNotifyTest, DoesNothingWithoutAListener) {
  for (const std::string& name :
       {std::string(), std::string("/"), std::string("relative"), unique("/tmp/nobody-"),
        std::string("vsock:2:1"), "/" + std::string(200, 'x')}) {
    if (!name.empty()) setenv("NOTIFY_SOCKET", name.c_str(), 1);
    SdNotify notify;
    notify.ready();
    notify.status("nobody hears it");
  }
}

TEST_F(SdNotifyTest, DropsAMessageRatherThanWait) {
  const std::string name = unique("@");
  Manager manager(name);
  manager.fill();
  setenv("NOTIFY_SOCKET", name.c_str(), 1);
  SdNotify().ready();  // would hang
  EXPECT_EQ(manager.next(), "x");
}

TEST_F(SdNotifyTest, KnowsTheWatchdogsPeriod) {
  struct Case {
    const char* usec;
    std::string pid;
    std::optional<Microseconds> period;
  };
  const std::string self = std::to_string(getpid());
  const Case cases[] = {
      {"30000000", self, Microseconds(30'000'000)},
      {"30000000", "", Microseconds(30'000'000)},
      {"30000000", std::to_string(getppid()), std::nullopt},
      {"30000000", "x", std::nullopt},
      {"0", self, std::nullopt},
      {"-5", self, std::nullopt},
      {"5s", self, std::nullopt},
      {"99999999999999999999", self, std::nullopt},
      {"", self, std::nullopt},
  };
  for (const Case& c : cases) {
    setenv("WATCHDOG_USEC", c.usec, 1);
    setenv("WATCHDOG_PID", c.pid.c_str(), 1);
    EXPECT_EQ(SdNotify().watchdog_period(), c.period) << c.usec << " for " << c.pid;
  }
  clear();
  EXPECT_EQ(SdNotify().watchdog_period(), std::nullopt);
}

}  // namespace
}  // namespace postern::scheduler
