#include "scheduler/sd_notify.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace postern::scheduler {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::optional<std::int64_t> positive_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

std::optional<Microseconds> watchdog_period_of_this_process() {
  // Children inherit the variables, but systemd watches only the process in WATCHDOG_PID.
  const std::string_view pid = environment("WATCHDOG_PID");
  if (!pid.empty() && positive_number(pid) != getpid()) return std::nullopt;
  const auto period = positive_number(environment("WATCHDOG_USEC"));
  if (!period) return std::nullopt;
  return Microseconds(*period);
}

}  // namespace

SdNotify::SdNotify() : watchdog_period_(watchdog_period_of_this_process()) {
  const std::string_view name = environment("NOTIFY_SOCKET");
  if (name.size() < 2 || name.size() >= sizeof address_.sun_path) return;
  if (name.front() != '/' && name.front() != '@') return;

  address_.sun_family = AF_UNIX;
  std::memcpy(address_.sun_path, name.data(), name.size());
  address_size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  // An abstract name begins with a NUL and has no terminator; a path ends with a NUL.
  if (name.front() == '@') {
    address_.sun_path[0] = '\0';
  } else {
    ++address_size_;
  }
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

SdNotify::~SdNotify() {
  if (fd_ >= 0) close(fd_);
}

void SdNotify::ready() { send("READY=1"); }
void SdNotify::stopping() { send("STOPPING=1"); }
void SdNotify::watchdog() { send("WATCHDOG=1"); }

void SdNotify::status(std::string_view text) {
  std::string message = "STATUS=";
  message += text;
  // A line feed would begin another assignment.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  std::replace_if(message.begin(), message.end(), is_control, ' ');
  send(message);
}

void SdNotify::send(std::string_view message) {
  if (fd_ < 0) return;
  // The result is ignored on purpose, see the comment of the class.
  [[maybe_unused]] const ssize_t sent =
      sendto(fd_, message.data(), message.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address_), address_size_);
}

}  // namespace postern::scheduler
