#include "fcgi/dialects/native/metrics_text.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace postern {
namespace {

// The upper bounds of core/model/histogram.h in seconds, as they are written.
constexpr std::array<std::string_view, 15> kBounds{"0.005", "0.01", "0.025", "0.05", "0.075",
                                                   "0.1",   "0.25", "0.5",   "0.75", "1.0",
                                                   "2.5",   "5.0",  "7.5",   "10.0", "+Inf"};

struct Label {
  std::string_view name;
  std::string_view value;
};

// Writes one family after the other: its head, then its samples.
class Text {
 public:
  Text& family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(out_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                   type);
    return *this;
  }

  template <class Number>
  void sample(std::span<const Label> labels, Number value) {
    write("", labels, value);
  }
  template <class Number>
  void sample(std::initializer_list<Label> labels, Number value) {
    write("", {labels.begin(), labels.size()}, value);
  }

  // Buckets add up, and each holds those before it.
  void histogram(const db::Histogram& histogram) {
    std::int64_t count = 0;
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      const Label bound{"le", kBounds[i]};
      write("_bucket", {&bound, 1}, count += histogram.buckets[i]);
    }
    write("_sum", {}, static_cast<double>(histogram.sum_ms) / 1000);
    write("_count", {}, count);
  }

  std::string take() { return std::move(out_); }

 private:
  template <class Number>
  void write(std::string_view suffix, std::span<const Label> labels, Number value) {
    out_.append(name_).append(suffix);
    char before = '{';
    for (const auto& [name, text] : labels) {
      out_.append(1, std::exchange(before, ',')).append(name).append("=\"");
      escape(text);
      out_ += '"';
    }
    if (!labels.empty()) out_ += '}';
    fmt::format_to(std::back_inserter(out_), " {}\n", value);
  }

  void escape(std::string_view text) {
    for (const char c : text) {
      if (c == '\n') {
        out_ += "\\n";
        continue;
      }
      if (c == '\\' || c == '"') out_ += '\\';
      out_ += c;
    }
  }

  std::string out_;
  std::string_view name_;
};

constexpr struct {
  std::string_view status;
  std::int64_t db::Counts::*count;
} kEnds[]{{"completed", &db::Counts::completed},
          {"failed", &db::Counts::failed},
          {"cancelled", &db::Counts::cancelled}},
    kOutcomes[]{{"success", &db::Counts::succeeded},
                {"failed", &db::Counts::failed_attempts},
                {"lost", &db::Counts::lost}};

constexpr struct {
  std::string_view state;
  std::int64_t db::Depth::*depth;
} kStates[]{{"ready", &db::Depth::ready},
            {"delayed", &db::Depth::delayed},
            {"active", &db::Depth::active},
            {"blocked", &db::Depth::blocked}};

void write_totals(Text& out, const db::Numbers& numbers) {
  const auto& counts = numbers.counts;
  out.family("taskmq_jobs_total", "counter",
             "Tasks of all tenants that completed or failed, whatever made them.");
  out.sample({{"status", "success"}}, counts.completed);
  out.sample({{"status", "failed"}}, counts.failed);
  out.family("taskmq_job_duration_seconds", "histogram",
             "How long attempts took; the same as postern_delivery_duration_seconds.");
  out.histogram(numbers.duration);
  out.family("postern_delivery_duration_seconds", "histogram", "How long attempts took.");
  out.histogram(numbers.duration);
  out.family("postern_lateness_seconds", "histogram",
             "How long after a task was due its attempt began.");
  out.histogram(numbers.lateness);
  out.family("postern_lease_expired_total", "counter",
             "Attempts whose scheduler died or lost its lease before it told the outcome.");
  out.sample({}, counts.lost);
  out.family("postern_egress_blocked_total", "counter",
             "Tasks that failed because the egress policy forbids their target.");
  out.sample({}, counts.egress_blocked);
  out.family("postern_corrupt_rows_total", "counter",
             "Tasks that were set aside as failed for what their rows in the database hold.");
  out.sample({}, counts.corrupt_rows);
  out.family("postern_schedule_missed_total", "counter",
             "Occurrences of schedules that made no task because their time had passed.");
  out.sample({}, counts.schedule_missed);
}

void write_queues(Text& out, const db::Numbers& numbers) {
  out.family("postern_tasks_created_total", "counter", "Tasks made.");
  for (const auto& each : numbers.queues) {
    out.sample({{"tenant", each.tenant}, {"queue", each.queue}}, each.counts.created);
  }
  out.family("postern_attempts_total", "counter", "Attempts that ended, by their outcome.");
  for (const auto& each : numbers.queues) {
    for (const auto& [outcome, count] : kOutcomes) {
      out.sample({{"tenant", each.tenant}, {"queue", each.queue}, {"outcome", outcome}},
                 each.counts.*count);
    }
  }
  out.family("postern_tasks_finished_total", "counter",
             "Tasks that ended; one that is retried by hand ends again.");
  for (const auto& each : numbers.queues) {
    for (const auto& [status, count] : kEnds) {
      out.sample({{"tenant", each.tenant}, {"queue", each.queue}, {"status", status}},
                 each.counts.*count);
    }
  }
  out.family("postern_queue_depth", "gauge", "Live tasks by state, as measured every 10 s.");
  for (const auto& each : numbers.queues) {
    for (const auto& [state, depth] : kStates) {
      out.sample({{"tenant", each.tenant}, {"queue", each.queue}, {"state", state}},
                 each.depth.*depth);
    }
  }
  out.family("postern_queue_oldest_due_seconds", "gauge",
             "For how long the ready task that waits longest has been due; 0: none is.");
  for (const auto& each : numbers.queues) {
    out.sample({{"tenant", each.tenant}, {"queue", each.queue}},
               db::oldest_due_seconds(each.depth, numbers.now));
  }
  out.family("postern_metrics_truncated", "gauge",
             "Queues that are left out here because there are too many.");
  out.sample({}, numbers.queues_left_out);
}

// A series for each that is paused, so that a list of the names is a list of the pauses.
void write_pauses(Text& out, const db::Numbers& numbers) {
  const struct {
    std::string_view name, what, label;
    const db::PausedThings& things;
  } kinds[]{
      {"postern_queue_paused", "queues", "queue", numbers.pauses.queues},
      {"postern_endpoint_paused", "endpoints", "endpoint", numbers.pauses.endpoints},
      {"postern_schedule_paused", "schedules", "schedule", numbers.pauses.schedules},
  };
  out.family("postern_engine_paused", "gauge", "1: the whole engine is paused, of all tenants.");
  out.sample({}, int{numbers.engine_paused});
  out.family("postern_paused", "gauge", "How many of all tenants are paused.");
  for (const auto& each : kinds) out.sample({{"what", each.what}}, each.things.count);
  for (const auto& each : kinds) {
    out.family(each.name, "gauge", "1 for each that is paused.");
    for (const auto& [tenant, name] : each.things.first) {
      out.sample({{"tenant", tenant}, {each.label, name}}, 1);
    }
  }
}

void write_schedulers(Text& out, const db::Numbers& numbers) {
  const auto named = db::by_name(numbers.schedulers);
  out.family(
      "postern_scheduler_up", "gauge",
      "1: the scheduler has been heard within a minute; 0: it fell silent without a goodbye.");
  for (const auto& [name, state] : named) out.sample({{"name", name}}, int{state.up});
  out.family("postern_inflight", "gauge", "Attempts under way, by scheduler.");
  for (const auto& [name, state] : named) {
    if (state.up) out.sample({{"name", name}}, state.in_flight);
  }
  out.family("postern_attempts_parked", "gauge",
             "Those of them that wait for an answer without holding a slot.");
  for (const auto& [name, state] : named) {
    if (state.up) out.sample({{"name", name}}, state.parked);
  }
  out.family("postern_lane_breaker_state", "gauge",
             "1 for a lane that is held back because of what its receiver answers.");
  for (const auto& lane : numbers.lanes) {
    out.sample({{"tenant", lane.tenant},
                {"queue", lane.queue},
                {"target", lane.target},
                {"state", lane.state}},
               1);
  }
}

}  // namespace

std::string metrics_text(const db::Numbers& numbers, std::string_view version,
                         std::string_view cell) {
  Text out;
  write_totals(out, numbers);
  write_queues(out, numbers);
  write_pauses(out, numbers);
  write_schedulers(out, numbers);
  out.family("postern_build_info", "gauge", "1, with the version of the handler that answers.");
  out.sample({{"version", version}}, 1);
  out.family("postern_cell_info", "gauge",
             "1, with the label of the cell, where there are several.");
  if (!cell.empty()) out.sample({{"cell", cell}}, 1);
  return out.take();
}

}  // namespace postern
