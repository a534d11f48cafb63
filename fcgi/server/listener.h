// The socket that nginx connects to: handed over by systemd or spawn-fcgi, or opened here.
#pragma once

#include <string>

namespace postern {

// A file descriptor and its end.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  int fd_ = -1;
};

struct Listener {
  Fd fd;
  // Opened here: nobody else accepts what still waits in its queue when we go.
  bool ours = false;
};

// `listen` is empty for the socket on file descriptor 0, else "unix:PATH" (mode 0660; a stale
// socket is replaced) or "ADDRESS:PORT", as core/program/config.h has checked. Throws
// std::runtime_error with a sentence.
Listener open_listener(const std::string& listen);

}  // namespace postern
