#include "db/pg/pool.h"

namespace postern::db {
namespace {

constexpr std::chrono::milliseconds kWaitForFree{1'000};
constexpr std::chrono::milliseconds kFailFast{500};

}  // namespace

Pool::Pool(PgConnection::Options options, int size)
    : Pool([options = std::move(options)] { return PgConnection::connect(options); }, size) {}

Pool::Pool(Connect connect, int size)
    : connect_(std::move(connect)), size_(static_cast<std::size_t>(size)) {
  idle_.reserve(size_);  // release() must not throw
}

Pool::Lease::~Lease() {
  if (connection_) pool_->release(std::move(connection_));
}

Pool::Lease Pool::acquire() {
  std::unique_lock lock(mutex_);
  if (!freed_.wait_for(lock, kWaitForFree, [&] { return !idle_.empty() || lent_ < size_; })) {
    throw AllConnectionsBusy();
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
  return {*this, connect()};
}

// REQUIRES: a place is counted for the new connection. Whatever is thrown, the place is free again.
std::unique_ptr<PgConnection> Pool::connect() {
  const auto give_up_place = [this](const char* error) {
    const std::lock_guard lock(mutex_);
    --lent_;
    freed_.notify_one();
    if (error == nullptr) return;
    fail_until_ = std::chrono::steady_clock::now() + kFailFast;
    last_error_ = error;
  };
  try {
    return std::make_unique<PgConnection>(connect_());
  } catch (const PgError& error) {
    give_up_place(error.what());
    throw;
  } catch (...) {
    give_up_place(nullptr);
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
