// How long attempts take, and how late they begin: for the metrics. A scheduler adds them up and
// tells the database every few seconds; counted in each settle they took a tenth of its time. Kept
// for all queues together.
#pragma once

#include "core/base/uuid.h"
#include "db/catalog/metrics.h"
#include "db/engine/settle.h"
#include "db/pg/connection.h"

namespace postern::db {

// Not thread-safe.
class AttemptTimes {
 public:
  // The end of an attempt; one without a record is not counted.
  void add(const Settlement& end);
  bool empty() const { return count_ == 0; }

  // Under the names "duration_0" to "duration_14", one for each bucket, and "duration_ms", the sum;
  // and the same with "lateness". `counters`: to whose counters they are added.
  Params params(const Uuid& counters) const;

 private:
  std::int64_t count_ = 0;
  Histogram duration_, lateness_;
};

extern const Statement kCountTimes;

}  // namespace postern::db
