#include "db/catalog/series.h"

#include <array>
#include <chrono>
#include <map>
#include <span>

#include <fmt/format.h>

#include "core/model/histogram.h"
#include "db/catalog/endpoints.h"
#include "db/pg/rows.h"

namespace postern::db {
namespace {

constexpr std::chrono::minutes kStep{1};
constexpr double kQuantile = 0.95;

// The minutes $2 back from now, and what the tenant $1 did in each.
constexpr Statement kMinutes{"series_minutes", R"sql(
  SELECT t.minute, c.minute IS NOT NULL AS counted, m.*
    FROM generate_series(date_trunc('minute', now()) - $2 * interval '1 minute',
                         date_trunc('minute', now()) - interval '1 minute', interval '1 minute') AS t(minute)
    LEFT JOIN LATERAL (SELECT k.minute FROM postern.counted_minute k WHERE k.minute = t.minute OFFSET 0) c ON true
    LEFT JOIN LATERAL (
      SELECT q.created, q.completed, q.failed, q.cancelled, q.attempts, q.attempts_failed, q.left_out
        FROM postern.queue_minute q WHERE q.minute = t.minute AND q.tenant = $1 AND q.queue = '' OFFSET 0) m ON true
   ORDER BY t.minute)sql"};

// An index descent for each minute, as the rows of all tenants lie between.
constexpr Statement kBusiestQueues{"busiest_queues", R"sql(
  SELECT m.queue
    FROM generate_series($2::timestamptz, $3::timestamptz - interval '1 minute', interval '1 minute') AS t(minute)
   CROSS JOIN LATERAL (
      SELECT queue, created + attempts + cancelled AS work
        FROM postern.queue_minute WHERE minute = t.minute AND tenant = $1 AND queue > '' OFFSET 0) m
   GROUP BY m.queue ORDER BY sum(m.work) DESC, m.queue LIMIT $4)sql"};

constexpr Statement kQueueMinutes{"queue_minutes", R"sql(
  SELECT n.queue AS name, m.*
    FROM unnest($4::text[]) AS n(queue)
   CROSS JOIN generate_series($2::timestamptz, $3::timestamptz - interval '1 minute', interval '1 minute') AS t(minute)
   CROSS JOIN LATERAL (
      SELECT q.minute, q.created, q.completed, q.failed, q.cancelled, q.attempts, q.attempts_failed
        FROM postern.queue_minute q WHERE q.minute = t.minute AND q.tenant = $1 AND q.queue = n.queue OFFSET 0) m)sql"};

constexpr Statement kBusiestEndpoints{"busiest_endpoints", R"sql(
  SELECT e.name
    FROM (SELECT name FROM postern.endpoint WHERE tenant = $1 ORDER BY name LIMIT $5) e
   CROSS JOIN LATERAL (
      SELECT sum(m.attempts) AS work FROM postern.endpoint_minute m
       WHERE m.tenant = $1 AND m.endpoint = e.name AND m.minute >= $2 AND m.minute < $3) m
   WHERE m.work > 0 ORDER BY m.work DESC, e.name LIMIT $4)sql"};

// A sum for each bucket, so that no array need be read.
std::string bucket_sums() {
  std::string sums;
  for (std::size_t i = 1; i <= std::tuple_size_v<Histogram>; ++i) {
    sums += fmt::format(", sum(m.durations[{}])::bigint", i);
  }
  return sums;
}
const BuiltStatement kEndpointMinutes{"endpoint_minutes", fmt::format(R"sql(
  SELECT n.endpoint AS name, m.* FROM unnest($4::text[]) AS n(endpoint)
   CROSS JOIN LATERAL (
      SELECT m.minute, sum(m.attempts)::bigint AS attempts, sum(m.failed)::bigint AS attempts_failed{}
        FROM postern.endpoint_minute m
       WHERE m.tenant = $1 AND m.endpoint = n.endpoint AND m.minute >= $2 AND m.minute < $3
       GROUP BY m.minute OFFSET 0) m)sql",
                                                                      bucket_sums())};

// The minutes that are asked for, of one tenant.
struct Span {
  struct Minute {
    bool counted;   // so that a queue without a row had nothing to do,
    bool left_out;  // unless some were left out
  };

  std::string_view tenant;
  Time since, until;
  std::vector<Minute> minutes;
  Series whole;  // of the tenant, but for the durations

  // Where `minute` is among them.
  std::size_t place(Time minute) const {
    return static_cast<std::size_t>((minute - since) / kStep);
  }
};

constexpr Column<MinuteNumbers> kCounts[] = {
    {"created", [](MinuteNumbers& m, const Value& value) { m.created = value.integer_or_null(); }},
    {"completed",
     [](MinuteNumbers& m, const Value& value) { m.completed = value.integer_or_null(); }},
    {"failed", [](MinuteNumbers& m, const Value& value) { m.failed = value.integer_or_null(); }},
    {"cancelled",
     [](MinuteNumbers& m, const Value& value) { m.cancelled = value.integer_or_null(); }},
    {"attempts",
     [](MinuteNumbers& m, const Value& value) { m.attempts = value.integer_or_null(); }},
    {"attempts_failed",
     [](MinuteNumbers& m, const Value& value) { m.attempts_failed = value.integer_or_null(); }},
};

constexpr MinuteNumbers kNothingDone{0, 0, 0, 0, 0, 0, std::nullopt};

Span read_span(PgConnection& connection, std::string_view tenant, int minutes) {
  const auto rows = connection.exec(kMinutes, Params().text(tenant).int4(minutes));
  const int minute = rows.column("minute"), counted = rows.column("counted"),
            created = rows.column("created"), left_out = rows.column("left_out");
  const RowReader<MinuteNumbers> counts(rows, kCounts);
  Span span{tenant, rows.time(0, minute), rows.time(rows.rows() - 1, minute) + kStep, {}, {}};
  for (int i = 0; i < rows.rows(); ++i) {
    const bool known = rows.boolean(i, counted);
    span.minutes.push_back({known, !rows.is_null(i, left_out) && rows.boolean(i, left_out)});
    MinuteNumbers numbers;
    if (known) numbers = kNothingDone;
    if (known && !rows.is_null(i, created)) counts.read(i, numbers);
    span.whole.minutes.push_back(numbers);
  }
  return span;
}

Params params_of(const Span& span) {
  Params params;
  params.text(span.tenant).time(span.since).time(span.until);
  return params;
}

std::vector<std::string> names_in(const PgResult& rows) {
  std::vector<std::string> names;
  for (int i = 0; i < rows.rows(); ++i) names.emplace_back(rows.text(i, 0));
  return names;
}

// Calls `each` with the series and the minute of every row that is of one of `names`.
template <class Each>
void spread(const PgResult& rows, const Span& span, std::span<const std::string> names,
            std::vector<Series>& series, const Each& each) {
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < names.size(); ++i) places.emplace(names[i], i);
  const int name = rows.column("name"), minute = rows.column("minute");
  for (int i = 0; i < rows.rows(); ++i) {
    auto& minutes = series[places.at(rows.text(i, name))].minutes;
    const auto place = span.place(rows.time(i, minute));
    if (place < minutes.size()) each(i, span.minutes[place], minutes[place]);
  }
}

Array array_of(std::span<const std::string> names) {
  Array array(Oid::text);
  for (const auto& name : names) array.text(name);
  return array;
}

std::vector<Series> of_queues(PgConnection& connection, const Span& span,
                              std::span<const std::string> names) {
  std::vector<Series> out;
  for (const auto& name : names) {
    Series& series = out.emplace_back();
    series.queue = name;
    for (const auto& minute : span.minutes) {
      const bool idle = minute.counted && !minute.left_out;
      series.minutes.push_back(idle ? kNothingDone : MinuteNumbers{});
    }
  }
  const auto rows = connection.exec(kQueueMinutes, params_of(span).array(array_of(names)));
  const RowReader<MinuteNumbers> counts(rows, kCounts);
  spread(rows, span, names, out, [&](int row, const Span::Minute& minute, MinuteNumbers& numbers) {
    if (minute.counted) counts.read(row, numbers);
  });
  return out;
}

// From the buckets, which begin in the column `first`.
std::optional<std::int64_t> p95_of(const PgResult& rows, int row, int first) {
  Histogram durations{};
  for (std::size_t i = 0; i < durations.size(); ++i) {
    durations[i] = rows.integer(row, first + static_cast<int>(i));
  }
  const auto p95 = quantile(durations, kQuantile);
  if (!p95) return std::nullopt;
  return p95->count();
}

std::vector<Series> of_endpoints(PgConnection& connection, const Span& span,
                                 std::span<const std::string> names) {
  std::vector<Series> out;
  for (const auto& name : names) {
    Series& series = out.emplace_back();
    series.endpoint = name;
    for (const auto& minute : span.minutes) {
      MinuteNumbers& numbers = series.minutes.emplace_back();
      if (minute.counted) numbers.attempts = numbers.attempts_failed = 0;
    }
  }
  const auto rows = connection.exec(kEndpointMinutes, params_of(span).array(array_of(names)));
  const int attempts = rows.column("attempts"), failed = rows.column("attempts_failed");
  spread(rows, span, names, out, [&](int row, const Span::Minute&, MinuteNumbers& numbers) {
    numbers.attempts = rows.integer(row, attempts);
    numbers.attempts_failed = rows.integer(row, failed);
    numbers.p95_ms = p95_of(rows, row, failed + 1);
  });
  return out;
}

}  // namespace

SeriesSet series_of_tenant(PgConnection& connection, std::string_view tenant, int minutes) {
  Span span = read_span(connection, tenant, minutes);
  const std::array<std::string, 1> all{std::string(kAnyEndpoint)};
  const auto attempts = of_endpoints(connection, span, all);
  for (std::size_t i = 0; i < span.whole.minutes.size(); ++i) {
    span.whole.minutes[i].p95_ms = attempts[0].minutes[i].p95_ms;
  }
  return {span.since, {std::move(span.whole)}};
}

SeriesSet series_of_queue(PgConnection& connection, std::string_view tenant, std::string_view queue,
                          int minutes) {
  const Span span = read_span(connection, tenant, minutes);
  const std::array<std::string, 1> names{std::string(queue)};
  return {span.since, of_queues(connection, span, names)};
}

SeriesSet series_of_endpoint(PgConnection& connection, std::string_view tenant,
                             std::string_view endpoint, int minutes) {
  const Span span = read_span(connection, tenant, minutes);
  const std::array<std::string, 1> names{std::string(endpoint)};
  return {span.since, of_endpoints(connection, span, names)};
}

SeriesSet series_by_queue(PgConnection& connection, std::string_view tenant, int minutes,
                          int limit) {
  const Span span = read_span(connection, tenant, minutes);
  const auto names = names_in(connection.exec(kBusiestQueues, params_of(span).int4(limit)));
  return {span.since, of_queues(connection, span, names)};
}

SeriesSet series_by_endpoint(PgConnection& connection, std::string_view tenant, int minutes,
                             int limit) {
  const Span span = read_span(connection, tenant, minutes);
  const auto names =
      names_in(connection.exec(kBusiestEndpoints, params_of(span).int4(limit).int4(kMostCompared)));
  return {span.since, of_endpoints(connection, span, names)};
}

}  // namespace postern::db
