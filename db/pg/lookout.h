// Looks at the hosts of a connection string that are not in use. A primary that has been replaced
// may go on for those who are connected to it, as when only its Patroni has died: nothing on its
// connections tells.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "db/pg/connection.h"

namespace postern::db {

// A thread of its own, while it lives; none where there is nothing to look at: for one host, or
// without `options.primary`, which learns what it sees.
class Lookout {
 public:
  explicit Lookout(PgConnection::Options options);
  ~Lookout();
  Lookout(const Lookout&) = delete;
  Lookout& operator=(const Lookout&) = delete;

 private:
  void run(const std::stop_token& stop);
  void look();

  PgConnection::Options options_;
  std::mutex mutex_;
  std::condition_variable_any ending_;
  std::jthread thread_;
};

}  // namespace postern::db
