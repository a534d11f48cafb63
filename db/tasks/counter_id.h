// Whose rows a program's statements count in.
#pragma once

#include "core/base/uuid.h"

namespace postern::db {

// Every few statements another one, so that a counter has few versions while somebody holds an old
// snapshot and none can be removed: each update walks over them (with 17,000 of them it took twice
// as long). The rows are added up when they are read, and folded into one every minute.
// Confined to one thread.
class CounterId {
 public:
  const Uuid& next() {
    if (uses_++ % kUses == 0) id_ = random_uuid();
    return id_;
  }

 private:
  static constexpr unsigned kUses = 256;
  unsigned uses_ = 0;
  Uuid id_{};
};

}  // namespace postern::db
