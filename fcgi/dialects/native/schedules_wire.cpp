#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/model/validation.h"
#include "fcgi/dialects/native/schedules.h"
#include "fcgi/dialects/native/wire.h"
#include "fcgi/server/field_reader.h"
#include "fcgi/server/query.h"

namespace postern::native_wire {
namespace {

using namespace wire::schedule_field;
using wire::kTaskNames;

constexpr std::int64_t kDefaultTries = 10;  // asyncjobs's
constexpr int kMaxListed = 1000;
constexpr int kMaxRuns = 100;
constexpr int kMaxNext = 100;

// A target replaces the one there was. A task_type is asyncjobs's way to name an endpoint; `type`
// is the same to others.
void read_target(FieldReader& fields, Schedule& onto, bool is_new, bool aliased) {
  auto type = fields.text(kTaskType);
  const auto alias = aliased ? fields.text(kType) : std::nullopt;
  const bool other = fields.present(kTaskNames.url) || fields.present(kTaskNames.endpoint);
  if (int{type.has_value()} + int{alias.has_value()} + int{other} > 1) {
    fields.refuse(invalid("target_both_set", type ? "task_type" : "type",
                          "Give one of webhook_url, endpoint and task_type, not several."));
  }
  if (alias) type = alias;
  if (!type && !other) return;
  Creation& task = onto.task;
  task.url.clear();
  task.endpoint.clear();
  task.method.reset();
  task.dialect = Dialect::native;
  if (!type) return;
  fields.require(check_name(*type, alias ? "type" : "task_type", "task_type_invalid"));
  task.endpoint = *std::move(type);
  task.dialect = Dialect::asyncjobs;
  if (!is_new) return;
  task.max_retries = kDefaultTries - 1;
  onto.misfire.kind = Misfire::skip;
}

// asyncjobs counts tries, native ones retries.
void read_tries(FieldReader& fields, Creation& task) {
  const auto tries = fields.integer(kMaxTries);
  if (!tries) return;
  if (fields.present(kTaskNames.max_retries)) {
    fields.refuse(invalid("max_tries_invalid", "max_tries",
                          "Give max_tries or max_retries, which is one less, not both."));
  }
  if (*tries < 1 || *tries > kMaxRetries + 1) {
    fields.refuse(invalid("max_tries_invalid", "max_tries",
                          fmt::format("max_tries must be 1 to {}.", kMaxRetries + 1)));
    return;
  }
  task.max_retries = *tries - 1;
}

void read_times(FieldReader& fields, Schedule& onto) {
  const auto spec = fields.text(kSchedule);
  const auto interval = fields.integer(kInterval);
  const auto timezone = fields.text(kTimezone);
  if (spec && interval) {
    fields.refuse(invalid("schedule_invalid", "interval_seconds",
                          "Give schedule or interval_seconds, not both."));
  }
  if (spec) {
    onto.spec = *spec;
    onto.interval.reset();
    if (!zone_of_spec(*spec).empty()) onto.timezone.clear();
  }
  if (interval) set_interval(onto, Seconds{*interval});
  if (timezone) onto.timezone = *timezone;
  if (const auto time = fields.time(kStartsAt)) onto.bounds.starts_at = time;
  if (const auto time = fields.time(kEndsAt)) onto.bounds.ends_at = time;
}

template <class Enum>
void read_word(FieldReader& fields, std::string_view field,
               std::optional<Enum> (*from)(std::string_view), std::string_view words, Enum& into) {
  const auto word = fields.text(field);
  if (!word) return;
  if (const auto value = from(*word)) {
    into = *value;
  } else {
    fields.refuse(invalid(fmt::format("{}_invalid", field), std::string(field),
                          fmt::format("{} must be {}.", field, words)));
  }
}

void read_policies(FieldReader& fields, Schedule& onto) {
  read_word(fields, kMisfire, misfire_from, "skip, last or all", onto.misfire.kind);
  read_word(fields, kOverlap, overlap_from, "allow or skip", onto.overlap);
  if (const auto limit = fields.integer(kMisfireLimit)) {
    onto.misfire.limit = static_cast<int>(std::clamp<std::int64_t>(*limit, 0, kMaxMisfires + 1));
  }
  if (const auto seconds = fields.integer(kMisfireWindow)) {
    onto.misfire.window = Seconds{*seconds};
  }
  if (const auto seconds = fields.integer(kJitter)) onto.jitter = Seconds{*seconds};
  if (const auto offset = fields.duration(kDeadlineOffset)) {
    onto.deadline_offset = std::chrono::round<Seconds>(*offset);
  }
}

}  // namespace

Result<void> apply_schedule(const Call& call, Schedule& onto) {
  Result<FieldReader> reader = fields_of(call);
  if (!reader) return reader.error();
  FieldReader& fields = *reader;
  const bool is_new = onto.spec.empty();
  if (auto name = fields.text(kName)) onto.name = *std::move(name);
  read_target(fields, onto, is_new, call.dialect != Dialect::asyncjobs);
  read_task_fields(fields, onto.task);
  read_tries(fields, onto.task);
  read_times(fields, onto);
  if (const auto paused = fields.boolean(kPaused)) onto.paused = *paused;
  read_policies(fields, onto);
  return fields.finish();
}

Result<ScheduleFilter> parse_schedule_filter(std::string_view text) {
  Result<Query> query = Query::parse(text);
  if (!query) return query.error();
  ScheduleFilter filter;
  if (auto queue = query->text("queue")) {
    query->require(check_queue_name(*queue, "queue"));
    filter.queue = *std::move(queue);
  }
  if (auto cursor = query->text("cursor")) {
    query->require(check_name(*cursor, "cursor", "cursor_invalid"));
    filter.after = *std::move(cursor);
  }
  filter.limit = query->count("limit", "limit_invalid", kMaxListed, filter.limit);
  if (const auto ok = query->finish(); !ok) return ok.error();
  return filter;
}

Result<int> parse_next(std::string_view text) {
  Result<Query> query = Query::parse(text);
  if (!query) return query.error();
  const int count = query->count("n", "n_invalid", kMaxNext, 10);
  if (const auto ok = query->finish(); !ok) return ok.error();
  return count;
}

Result<Preview> parse_preview(const Call& call) {
  Result<FieldReader> fields = fields_of(call);
  if (!fields) return fields.error();
  Preview wanted;
  read_times(*fields, wanted.schedule);
  const auto count = fields->integer("count").value_or(wanted.count);
  if (count < 1 || count > kMaxNext) {
    fields->refuse(
        invalid("count_invalid", "count", fmt::format("count must be 1 to {}.", kMaxNext)));
  }
  wanted.count = static_cast<int>(std::clamp(count, std::int64_t{1}, std::int64_t{kMaxNext}));
  if (const auto ok = fields->finish(); !ok) return ok.error();
  return wanted;
}

Result<RunFilter> parse_run_filter(std::string_view text) {
  Result<Query> query = Query::parse(text);
  if (!query) return query.error();
  RunFilter filter;
  filter.limit = query->count("limit", "limit_invalid", kMaxRuns, filter.limit);
  if (const auto cursor = query->text("cursor")) {
    filter.before = parse_rfc3339(*cursor);
    if (!filter.before) {
      query->refuse(
          invalid("cursor_invalid", "cursor", "cursor must be the next_cursor of another page."));
    }
  }
  if (const auto ok = query->finish(); !ok) return ok.error();
  return filter;
}

std::string run_cursor(const db::ScheduleRun& run) {
  return format_rfc3339(run.nominal, TimeDigits::micros);
}

}  // namespace postern::native_wire
