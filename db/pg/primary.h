// Which server is the primary. After a failover the former one may come back, or go on for those
// who are cut off with it, and take writes that nobody will ever see again. PostgreSQL counts: each
// promotion begins a new timeline. So a program remembers the highest that it has seen, and uses no
// server of a lower one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/time/time.h"
#include "db/pg/primary_file.h"

namespace postern::db {

class PgConnection;
class PgResult;

// What a server is now; what it does not tell, and all of a standby, is 0. Throws PgError.
KnownPrimary primary_of(PgConnection& connection);

// Thread-safe; one for a program and its database.
class Primary {
 public:
  // `what` is "changed": a newer timeline was seen, or an operator accepted another server;
  // "refused": a server is not used, told once in half a minute; "unkept": the file cannot be read
  // or written, told once until it can; "unjudged": the server does not tell, said once. Called
  // without locks, from whichever thread has met it.
  using Tell = std::function<void(const char* what, const std::string& sentence)>;

  // Of a daemon. `folder`: where the file `primary` is, which all programs of it share; empty:
  // nothing is kept beyond the process.
  Primary(std::string folder, Tell tell);
  // Of a command. `folders`: those of the host's daemons. What a file there says counts for servers
  // of the same system alone, since a command may be led to another database than the daemons. It
  // writes none: led to a copy that was promoted, it would have the daemons refuse their primary.
  Primary(std::vector<std::string> folders, Tell tell);

  // What to ask a new server, one statement behind those for its session; empty: it does not tell.
  std::string question() const;
  // A server refused `asked`, the question of then. False: it was not for what is asked.
  bool ask_less(const std::string& asked, const std::string& sqlstate, const std::string& why);

  // Judges the server by its answer: the generation that its connection belongs to. Throws PgError
  // (connection_lost) when it is not to be used. The file is looked at first: `postern cell accept`
  // may have changed it, or another program may know more.
  std::uint64_t judge(const PgResult& answer);

  // How often the primary has changed: a connection of an earlier one is not to be used any more.
  std::uint64_t generation() const { return generation_; }

  // When a connection of the program was last made: those that wait for their next attempt need not
  // wait any longer.
  void note_connected(Monotonic now) { connected_at_ = now; }
  Monotonic connected_at() const { return connected_at_; }

 private:
  void take_in_file();
  void learn(const KnownPrimary& now);
  std::string refusal(const KnownPrimary& now) const;

  const bool of_command_;
  const std::string folder_;                // of a daemon
  const std::vector<std::string> folders_;  // that are read alone
  const Tell tell_;
  std::atomic<int> depth_;  // how much is asked
  std::atomic<std::uint64_t> generation_ = 0;
  std::atomic<Monotonic> connected_at_{};
  std::mutex mutex_;  // guards all below
  KnownPrimary known_;
  bool kept_ = true;
  Monotonic refusal_told_{};
  std::vector<std::pair<const char*, std::string>> news_;  // to be told without the lock
};

}  // namespace postern::db
