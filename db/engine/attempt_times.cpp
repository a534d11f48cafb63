#include "db/engine/attempt_times.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include <fmt/format.h>

#include "core/model/histogram.h"

namespace postern::db {
namespace {

void count(Histogram& histogram, Milliseconds time) {
  ++histogram.buckets[bucket_of(time)];
  histogram.sum_ms += time.count();
}

void add(Array& names, Array& values, std::string_view what, const Histogram& histogram) {
  for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
    if (histogram.buckets[i] == 0) continue;
    names.text(fmt::format("{}_{}", what, i));
    values.int8(histogram.buckets[i]);
  }
  names.text(fmt::format("{}_ms", what));
  values.int8(histogram.sum_ms);
}

}  // namespace

void AttemptTimes::add(const Settlement& end) {
  if (!end.attempt) return;
  ++count_;
  count(duration_, end.attempt->duration);
  count(lateness_, std::chrono::ceil<Milliseconds>(std::max(end.late, Microseconds{0})));
}

Params AttemptTimes::params(const Uuid& counters) const {
  Array names(Oid::text), values(Oid::int8);
  db::add(names, values, "duration", duration_);
  db::add(names, values, "lateness", lateness_);
  Params params;
  params.uuid(counters).array(names).array(values);
  return params;
}

const Statement kCountTimes{"count_times", R"sql(
  INSERT INTO postern.counter AS c (instance, tenant, queue, name, value)
  SELECT $1, '', '', name, value FROM unnest($2::text[], $3::int8[]) AS n(name, value)
  ON CONFLICT (tenant, queue, name, instance) DO UPDATE SET value = c.value + excluded.value)sql"};

}  // namespace postern::db
