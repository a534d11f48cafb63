// A few blocking connections shared by the handler threads.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "db/pg/connection.h"

namespace postern::db {

// Thread-safe. Connections are made when needed, kept while they live, at most `size` of them.
class Pool {
 public:
  Pool(PgConnection::Options options, int size);
  // The same with connections that `connect` makes.
  using Connect = std::function<PgConnection()>;
  Pool(Connect connect, int size);

  // One connection, given back by the destructor (thrown away if it broke).
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<PgConnection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    ~Lease();
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    PgConnection& operator*() { return *connection_; }

   private:
    Pool* pool_;
    std::unique_ptr<PgConnection> connection_;
  };

  // Waits up to 1 s for a free connection; throws AllConnectionsBusy when there is none. Throws
  // PgError (connection_lost) when the database cannot be reached. After a failure to connect,
  // calls within the next 500 ms fail at once, so that a database that hangs does not tie up every
  // thread.
  Lease acquire();

 private:
  friend class Lease;
  void release(std::unique_ptr<PgConnection> connection);

  std::unique_ptr<PgConnection> connect();

  const Connect connect_;
  const std::size_t size_;
  std::mutex mutex_;  // guards all below
  std::condition_variable freed_;
  std::vector<std::unique_ptr<PgConnection>> idle_;
  std::size_t lent_ = 0;
  std::chrono::steady_clock::time_point fail_until_{};
  std::string last_error_;
};

}  // namespace postern::db
