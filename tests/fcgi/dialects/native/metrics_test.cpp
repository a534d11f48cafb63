#include "fcgi/dialects/native/metrics_text.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

// Whether `text` has this line.
bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

db::QueueNumbers queue_of(std::string tenant, std::string queue) {
  db::QueueNumbers out;
  out.tenant = std::move(tenant);
  out.queue = std::move(queue);
  return out;
}

TEST(MetricsText, HasEveryFamilyOnAnEmptyDatabase) {
  const std::string text = metrics_text({}, "1.2.3", "eu2");
  EXPECT_TRUE(has(text, "# TYPE postern_tasks_created_total counter"));
  EXPECT_TRUE(has(text, "taskmq_jobs_total{status=\"success\"} 0"));
  EXPECT_TRUE(has(text, "taskmq_job_duration_seconds_bucket{le=\"0.1\"} 0"));
  EXPECT_TRUE(has(text, "postern_lateness_seconds_sum 0"));
  EXPECT_TRUE(has(text, "postern_build_info{version=\"1.2.3\"} 1"));
  EXPECT_TRUE(has(text, "postern_cell_info{cell=\"eu2\"} 1"));
  EXPECT_EQ(text.back(), '\n');
}

TEST(MetricsText, BucketsHoldThoseBeforeThem) {
  db::Numbers numbers;
  numbers.duration.buckets[0] = 3;
  numbers.duration.buckets[5] = 2;
  numbers.duration.buckets[14] = 1;
  numbers.duration.sum_ms = 12'345;
  const std::string text = metrics_text(numbers, "", "");
  const std::string name = "postern_delivery_duration_seconds";
  const std::pair<std::string, std::string> lines[] = {{"_bucket{le=\"0.005\"}", "3"},
                                                       {"_bucket{le=\"0.075\"}", "3"},
                                                       {"_bucket{le=\"0.1\"}", "5"},
                                                       {"_bucket{le=\"10.0\"}", "5"},
                                                       {"_bucket{le=\"+Inf\"}", "6"},
                                                       {"_sum", "12.345"},
                                                       {"_count", "6"}};
  for (const auto& [series, value] : lines) {
    EXPECT_TRUE(has(text, name + series + " " + value)) << series;
  }
}

TEST(MetricsText, LabelsAreEscaped) {
  db::Numbers numbers;
  numbers.schedulers.push_back({"a\"b\\c\nd", "1", {}, 0, true, 8, 5});
  const std::string text = metrics_text(numbers, "", "");
  EXPECT_TRUE(has(text, R"(postern_scheduler_up{name="a\"b\\c\nd"} 1)"));
  EXPECT_TRUE(has(text, R"(postern_inflight{name="a\"b\\c\nd"} 5)"));
}

TEST(MetricsText, SchedulersOfOneNameAreOneSeries) {
  db::Numbers numbers;
  numbers.schedulers = {{"a", "1", {}, 300, false, 8, 7},
                        {"a", "1", {}, 1, true, 8, 3},
                        {"b", "1", {}, 90, false, 8, 2}};
  const std::string text = metrics_text(numbers, "", "");
  EXPECT_TRUE(has(text, "postern_scheduler_up{name=\"a\"} 1"));
  EXPECT_TRUE(has(text, "postern_inflight{name=\"a\"} 3"));
  EXPECT_TRUE(has(text, "postern_scheduler_up{name=\"b\"} 0"));
  EXPECT_EQ(text.find("postern_inflight{name=\"b\"}"), text.npos);
}

TEST(MetricsText, QueuesAndLanesHaveTheirLabels) {
  db::Numbers numbers;
  auto queue = queue_of("t", "q");
  queue.counts.created = 4;
  queue.counts.lost = 1;
  queue.depth.delayed = 2;
  queue.depth.oldest_due = Time{Seconds{100}};
  numbers.now = Time{Seconds{107}};
  numbers.queues = {queue, queue_of("t", "r")};
  numbers.queues_left_out = 9;
  numbers.lanes = {{"t", "q", "host:81", "open"}};
  const std::string text = metrics_text(numbers, "", "");
  for (const char* line : {
           R"(postern_tasks_created_total{tenant="t",queue="q"} 4)",
           R"(postern_attempts_total{tenant="t",queue="q",outcome="lost"} 1)",
           R"(postern_tasks_finished_total{tenant="t",queue="q",status="completed"} 0)",
           R"(postern_queue_depth{tenant="t",queue="q",state="delayed"} 2)",
           R"(postern_queue_oldest_due_seconds{tenant="t",queue="q"} 7)",
           R"(postern_queue_oldest_due_seconds{tenant="t",queue="r"} 0)",
           R"(postern_metrics_truncated 9)",
           R"(postern_lane_breaker_state{tenant="t",queue="q",target="host:81",state="open"} 1)",
       }) {
    EXPECT_TRUE(has(text, line)) << line << "\n" << text;
  }
}

}  // namespace
}  // namespace postern
