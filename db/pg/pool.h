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
  // PgError (connection_lost) when the database cannot be reached. One call connects at a time.
  // Once that has failed, those who wait fail with it, and so does, at once, whoever comes during
  // a pause of 250 to 500 ms and the next attempt: a database that hangs ties up one thread, and
  // one that comes back is not run over.
  Lease acquire();

 private:
  friend class Lease;
  void release(std::unique_ptr<PgConnection> connection);
  std::unique_ptr<PgConnection> connect();
  void end_attempt(const char* error, bool connected);

  const Connect connect_;
  const std::size_t size_;
  std::mutex mutex_;  // guards all below
  std::condition_variable freed_;
  std::vector<std::unique_ptr<PgConnection>> idle_;
  std::size_t lent_ = 0;
  bool connecting_ = false;
  bool away_ = false;         // the last attempt failed
  std::string last_error_;    // of it
  std::uint64_t failed_ = 0;  // attempts that failed
  Monotonic retry_at_{};      // the next one, when it is away
};

}  // namespace postern::db
