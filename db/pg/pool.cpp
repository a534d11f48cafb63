#include "db/pg/pool.h"

#include <chrono>

#include "db/pg/backoff.h"

namespace postern::db {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Milliseconds kWaitForFree{1'000};
constexpr Milliseconds kPause{500};

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
  // The primary may have changed.
  std::erase_if(idle_, [](const auto& connection) { return !connection->alive(); });
  const auto failed_before = failed_;
  const auto may_connect = [&] { return lent_ < size_ && !connecting_; };
  const auto refuses = [&] { return failed_ != failed_before || (away_ && connecting_); };
  const bool over = !freed_.wait_for(lock, kWaitForFree,
                                     [&] { return !idle_.empty() || refuses() || may_connect(); });
  if (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    ++lent_;
    return {*this, std::move(connection)};
  }
  if (refuses() || (away_ && Clock::now() < retry_at_)) throw PgError(last_error_, "", true);
  if (over && connecting_) throw PgError("the server has not answered within 1 s", "", true);
  if (over) throw AllConnectionsBusy();
  ++lent_;
  connecting_ = true;
  lock.unlock();
  return {*this, connect()};
}

// REQUIRES: a place is counted for the new connection. Whatever is thrown, the place is free again.
std::unique_ptr<PgConnection> Pool::connect() {
  try {
    auto connection = std::make_unique<PgConnection>(connect_());
    end_attempt(nullptr, true);
    return connection;
  } catch (const PgError& error) {
    end_attempt(error.what(), false);
    throw;
  } catch (...) {
    end_attempt(nullptr, false);
    throw;
  }
}

void Pool::end_attempt(const char* error, bool connected) {
  const std::lock_guard lock(mutex_);
  connecting_ = false;
  away_ = error != nullptr;
  if (!connected) --lent_;
  if (away_) {
    last_error_ = error;
    ++failed_;
    retry_at_ = Clock::now() + jittered(kPause);
  }
  freed_.notify_all();
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
