#include "db/pg/lookout.h"

#include <chrono>
#include <utility>

#include "db/pg/backoff.h"
#include "db/pg/hosts.h"

namespace postern::db {
namespace {

constexpr Milliseconds kLookEvery{2'000};

}  // namespace

Lookout::Lookout(PgConnection::Options options) : options_(std::move(options)) {
  options_.session = {};
  if (!options_.primary || hosts_of(options_.conninfo).size() == 1) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Lookout::~Lookout() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  ending_.notify_all();
}

void Lookout::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      ending_.wait_for(lock, stop, jittered(kLookEvery), [] { return false; });
    }
    if (!stop.stop_requested()) look();
  }
}

// A standby refuses at once, as do a former primary and a host without a server. What matters is
// what options_.primary learns of a new one.
void Lookout::look() {
  auto one = options_;
  HostWalk walk(options_.conninfo);
  while (walk.next("", false)) {
    one.conninfo = walk.host().conninfo;
    try {
      PgConnection::connect(one);
    } catch (const std::exception&) {
      // It is no primary, or not for us.
    }
  }
}

}  // namespace postern::db
