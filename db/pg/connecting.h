// One attempt to connect: to one host after the other, each with its own time limit, until one has
// answered all that is asked of it at the beginning.
#pragma once

#include <optional>
#include <string>

#include "core/time/time.h"
#include "db/pg/connection.h"
#include "db/pg/hosts.h"

namespace postern::db {

// Confined to one thread. It never waits, except for the resolution of names, as libpq does.
class Connecting {
 public:
  Connecting(const PgConnection::Options& options, Monotonic now);

  // Does what can be done without waiting. `reading`, `writing`: call again when socket() is ready
  // for it, and at until(). `done`: take() has the connection. `failed`: error() says why, for each
  // host.
  PgConnection::Progress drive(Monotonic now);
  int socket() const { return connection_ ? connection_->socket() : -1; }
  Monotonic until() const { return until_; }
  const std::string& error() const { return hosts_.error(); }
  // The last host that failed did not answer within its time.
  bool silent() const { return silent_; }
  // REQUIRES: `done`; once.
  PgConnection take();

 private:
  using Progress = PgConnection::Progress;

  void begin(Monotonic now);
  Progress step(Monotonic now);
  Progress connect();
  bool send_greeting();
  Progress greet(Monotonic now);
  Progress answered(Monotonic now);
  Progress fail(std::string why);

  PgConnection::Options options_;
  const Seconds limit_;
  const std::string session_;  // empty: none
  HostWalk hosts_;
  std::optional<PgConnection> connection_;
  Progress wants_ = Progress::writing;
  bool greeted_ = false;          // the greeting was sent
  std::string question_;          // that it held; empty: none
  std::optional<PgResult> last_;  // of its results
  std::optional<PgError> refused_;
  bool silent_ = false;
  std::string why_;
  Monotonic until_{};
};

}  // namespace postern::db
