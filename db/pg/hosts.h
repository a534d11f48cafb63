// The hosts of a connection string ("host=a,b,c port=5432", "postgresql://a,b:5433/db"), one at a
// time. libpq itself begins with the first one each time, and has no time limit for each when it
// does not block.
#pragma once

#include <string>
#include <vector>

namespace postern::db {

struct Host {
  std::string name;      // for people: "a:5432"
  std::string conninfo;  // the connection string, with this host alone
};

// A string with one host, one that cannot be read (libpq says why when it is used), and one with
// target_session_attrs=prefer-standby, which needs all of them at once, is one host as it stands.
// Where it names none, PGHOST, PGHOSTADDR and PGPORT count, as for libpq.
std::vector<Host> hosts_of(const std::string& conninfo);

// The hosts in the order in which they are best tried: the one that was good last comes first, and
// those that did not answer at all come last. The process remembers both for each connection
// string. A walk is used by one thread; what is remembered is shared by all.
class HostWalk {
 public:
  explicit HostWalk(const std::string& conninfo);

  const Host& host() const { return hosts_[order_[at_]]; }
  // The host failed, as `why` says; `silent`: it did not answer within its time. False: it was the
  // last one, and error() says why each of them failed.
  bool next(const std::string& why, bool silent);
  // The host is good.
  void good();
  const std::string& error() const { return error_; }

 private:
  const std::string conninfo_;
  const std::vector<Host> hosts_;
  std::vector<std::size_t> order_;
  std::size_t at_ = 0;
  std::string error_;
};

}  // namespace postern::db
