// Reports this process's state to systemd: the protocol of sd_notify(3), without libsystemd.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <string_view>

#include "core/time/time.h"

namespace postern::scheduler {

// Does nothing when $NOTIFY_SOCKET is not set. A message that cannot be sent is dropped: no work
// may fail because of it, and systemd's own timeouts notice. Confined to one thread.
class SdNotify {
 public:
  // Reads $NOTIFY_SOCKET (a path, or "@name" for an abstract socket), $WATCHDOG_USEC and
  // $WATCHDOG_PID.
  SdNotify();
  ~SdNotify();
  SdNotify(const SdNotify&) = delete;
  SdNotify& operator=(const SdNotify&) = delete;

  void ready();
  void stopping();
  void watchdog();
  // One line for `systemctl status`; control bytes become spaces.
  void status(std::string_view text);

  // systemd kills this process after this long without a watchdog(): call it twice as often.
  // nullopt: no watchdog is set for this process.
  std::optional<Microseconds> watchdog_period() const { return watchdog_period_; }

 private:
  void send(std::string_view message);

  int fd_ = -1;  // -1: systemd does not listen
  sockaddr_un address_{};
  socklen_t address_size_ = 0;
  std::optional<Microseconds> watchdog_period_;
};

}  // namespace postern::scheduler
