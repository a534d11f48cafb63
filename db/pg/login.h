// As whom a program started as root connects: PostgreSQL's role is named like a system user, and
// "peer" authentication looks at the process's effective user while it connects.
#pragma once

#include <map>
#include <string>

namespace postern::db {

// What a connection string says, with the environment of libpq behind it (PGUSER, PGHOST).
struct Target {
  std::string user;  // empty: it names none
  bool local;        // a Unix socket
};
// Throws PgError for what is no connection string.
Target target_of(const std::string& conninfo);

// The value of a keyword ("dbname") in a connection string; empty: it is not there.
std::string conninfo_value(const std::string& conninfo, const std::string& keyword);
// The connection string with other values, as "keyword='value'"; an empty value takes one out.
// Throws PgError, as target_of does.
std::string conninfo_with(const std::string& conninfo,
                          const std::map<std::string, std::string>& changes);

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
