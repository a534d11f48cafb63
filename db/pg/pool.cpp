#include "db/pg/pool.h"

namespace postern::db {
namespace {

constexpr std::chrono::milliseconds kWaitForFree{1'000};
constexpr std::chrono::milliseconds kFailFast{500};

}  // namespace

Pool::Pool(PgConnection::Options options, int size)
    : options_(std::move(options)), size_(static_cast<std::size_t>(size)) {}

Pool::Lease::~Lease() {
  if (connection_) pool_->release(std::move(connection_));
}

Pool::Lease Pool::acquire() {
  std::unique_lock lock(mutex_);
  if (!freed_.wait_for(lock, kWaitForFree, [&] { return !idle_.empty() || lent_ < size_; })) {
    throw PgError("all database connections are busy", "", true);
  }
  if (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    ++lent_;
    return {*this, std::move(connection)};
  }
  if (std::chrono::steady_clock::now() < fail_until_) throw PgError(last_error_, "", true);
  ++lent_;
  lock.unlock();
  try {
    return {*this, std::make_unique<PgConnection>(PgConnection::connect(options_))};
  } catch (const PgError& error) {
    lock.lock();
    --lent_;
    fail_until_ = std::chrono::steady_clock::now() + kFailFast;
    last_error_ = error.what();
    freed_.notify_one();
    throw;
  }
}

void Pool::release(std::unique_ptr<PgConnection> connection) {
  const std::lock_guard lock(mutex_);
  --lent_;
  if (connection->alive()) {
    idle_.push_back(std::move(connection));
  } else {
    // The others were made to the same server, which is gone: let them be made anew.
    idle_.clear();
  }
  freed_.notify_one();
}

}  // namespace postern::db
