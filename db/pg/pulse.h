// Whether a server that leaves a statement unanswered is still there. One that is frozen keeps its
// connections, and its kernel goes on acknowledging what is sent to it, so that no timeout of TCP
// ever ends the wait.
#pragma once

#include <optional>

#include "core/time/time.h"
#include "db/pg/connecting.h"

namespace postern::db {

// A statement may take long, above all a commit that waits for a synchronous standby. So after so
// long without an answer a new connection to the same host is tried, and again while it goes on.
constexpr Milliseconds kSilence{3'000};

// Confined to one thread.
class Pulse {
 public:
  // Of a connection with these options, but with the one host that it has, on which a statement was
  // sent at `since`.
  Pulse(const PgConnection::Options& options, Monotonic since);

  // Without waiting; to be called every kPulseEvery or so. False: nobody answers there any more.
  bool beats(Monotonic now);

 private:
  PgConnection::Options options_;
  std::optional<Connecting> connecting_;
  Monotonic next_;
};

constexpr Milliseconds kPulseEvery{50};
// What is then said of the connection.
constexpr char kSilent[] = "nobody answers on the server's host any more";

}  // namespace postern::db
