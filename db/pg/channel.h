// A connection for an event loop: statements are queued, sent one after the other, and answered by
// calling back. It reconnects by itself, with back-off; what was under way then fails and is its
// caller's to judge.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/time/time.h"
#include "db/pg/backoff.h"
#include "db/pg/connecting.h"
#include "db/pg/connection.h"
#include "db/pg/pulse.h"

namespace postern::db {

// Confined to one thread. Callbacks may submit further statements.
class Channel {
 public:
  using Done = std::function<void(const PgResult&)>;
  // `error.connection_lost()`: whether the statement took effect is not known.
  using Failed = std::function<void(const PgError& error)>;

  // `listen`: a notification channel to listen on, or empty. REQUIRES: it is not moved once it is
  // driven.
  Channel(PgConnection::Options options, std::string listen);

  // Queues one statement. One of the two callbacks is called from a later drive(). `statement` must
  // outlive the call (they are constants).
  void submit(const Statement& statement, Params params, Done done, Failed failed);

  // Statements queued or under way.
  std::size_t pending() const { return queue_.size(); }
  bool connected() const { return state_ == State::ready; }
  // How often a connection has been established.
  int connects() const { return connects_; }
  // The last connection error, for people.
  const std::string& last_error() const { return last_error_; }

  // What the event loop must wait for: socket (-1: none now), whether to write, and when to drive
  // anyway.
  int socket() const;
  bool wants_write() const { return wants_write_; }
  std::optional<Monotonic> wake_at() const;

  // Does whatever can be done without waiting.
  void drive(Monotonic now);

  // Notifications since the last call.
  std::vector<Notification> take_notifications();

 private:
  struct Job {
    const Statement* statement;
    Params params;
    Done done;
    Failed failed;
  };
  enum class State { waiting, connecting, ready };
  enum class Sent { nothing, prepare, statement };

  bool may_connect(Monotonic now) const;
  void drive_connect(Monotonic now);
  void drive_ready(Monotonic now);
  void send_head(Monotonic now);
  void ask_again();
  void watch(Monotonic now);
  bool take_results();
  void lose(Monotonic now, std::string why);

  PgConnection::Options options_;
  std::string listen_sql_;
  Statement listen_statement_;
  std::string question_;  // to the primary
  Statement question_statement_{"", ""};
  std::optional<Connecting> connecting_;  // while connecting
  std::optional<PgConnection> connection_;
  State state_ = State::waiting;
  Sent sent_ = Sent::nothing;
  std::optional<Pulse> pulse_;  // while a statement takes long
  Monotonic look_at_{};         // then
  bool wants_write_ = false;
  int connects_ = 0;
  Monotonic lost_at_{};
  Monotonic retry_at_{};
  Backoff backoff_{kFirstPause, kLastPause};
  std::string last_error_;
  std::deque<Job> queue_;
  std::optional<PgResult> result_;  // of the head, while its end marker is awaited
  std::optional<PgError> refused_;
  std::vector<Notification> notifications_;
};

}  // namespace postern::db
