// As whom a program started as root connects: PostgreSQL's role is named like a system user, and
// "peer" authentication looks at the process's effective user while it connects.
#pragma once

#include <sys/types.h>

#include <string>

namespace postern::db {

// What a connection string says, with the environment of libpq behind it (PGUSER, PGHOST).
struct Target {
  std::string user;  // empty: it names none
  bool local;        // a Unix socket
};
// Throws PgError for what is no connection string.
Target target_of(const std::string& conninfo);

// While it lives, a process of root has the effective user `role`, if the server is local, and
// `user` is what to connect as. Does nothing for other processes, where `role` is empty, and where
// the connection string names a user: `user` is empty then. Throws PgError when there is no such
// system user. One at a time in a process, since all threads change with it: others wait.
class ActingAs {
 public:
  ActingAs(const std::string& role, const std::string& conninfo);
  ~ActingAs();
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;

  std::string user;

 private:
  bool acting_ = false;
};

}  // namespace postern::db
