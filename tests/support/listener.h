// A server that takes connections and never says a word, as one that is frozen does.
#pragma once

#include <string>

namespace postern::test {

class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  int port() const { return port_; }
  // How many connections have come since the last call.
  int arrivals();

 private:
  int socket_ = -1;
  int port_ = 0;
};

}  // namespace postern::test
