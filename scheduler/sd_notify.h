// Tells systemd how this process fares (the protocol of sd_notify(3), without libsystemd).
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <string_view>

#include "core/time/time.h"

namespace postern::scheduler {

// Does nothing when systemd does not listen. A message that cannot be sent is dropped: systemd's
// own timeouts are the remedy, and no work may fail for it. Confined to one thread.
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

  // systemd kills this process when no watchdog() came for this long: call it twice as often.
  // nullopt: nobody watches.
  std::optional<Microseconds> watchdog_period() const { return watchdog_period_; }

 private:
  void send(std::string_view message);

  int fd_ = -1;  // -1: nobody listens
  sockaddr_un address_{};
  socklen_t address_size_ = 0;
  std::optional<Microseconds> watchdog_period_;
};

}  // namespace postern::scheduler
