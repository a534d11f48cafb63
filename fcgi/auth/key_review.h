// A key that another cell has judged: an old one of a tenant that has moved here.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>

#include "core/base/crypto.h"
#include "db/catalog/keys.h"
#include "db/pg/pool.h"
#include "fcgi/server/http.h"

namespace postern {

// Thread-safe. What it finds is kept for 5 s, as nginx keeps a verdict, so a key that is revoked
// here works that much longer.
class KeyReview {
 public:
  // `pool` must outlive it.
  explicit KeyReview(db::Pool& pool) : pool_(pool) {}

  // Sets who asks to what this cell's database says of the key (HttpRequest::key_hash), and the
  // verdict to `invalid` when it knows none that works, to `unavailable` when it is away. Leaves
  // other requests as they are. Never throws.
  void review(HttpRequest& request);

 private:
  using Clock = std::chrono::steady_clock;
  struct Seen {
    std::optional<db::Identity> identity;
    Clock::time_point until;
  };

  std::optional<db::Identity> identity_of(const Sha256& hash);

  db::Pool& pool_;
  std::mutex mutex_;
  std::map<Sha256, Seen> seen_;  // guarded by mutex_
};

}  // namespace postern
