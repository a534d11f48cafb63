#include "cli/host/health.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace postern::admin {
namespace {

// One sample of /metrics: name{labels} value.
struct Sample {
  std::string_view name, labels;
  double value = 0;

  std::string label(std::string_view wanted) const {
    const std::string begin = fmt::format("{}=\"", wanted);
    std::size_t at = labels.find(begin);
    // A label's name begins the text or follows a comma.
    while (at != labels.npos && at > 0 && labels[at - 1] != ',') at = labels.find(begin, at + 1);
    if (at == labels.npos) return "";
    at += begin.size();
    std::string out;
    for (; at < labels.size() && labels[at] != '"'; ++at) {
      if (labels[at] == '\\' && at + 1 < labels.size()) ++at;
      out += labels[at];
    }
    return out;
  }
};

std::optional<Sample> parse_sample(std::string_view line) {
  if (line.empty() || line.front() == '#') return std::nullopt;
  const std::size_t space = line.rfind(' ');
  if (space == line.npos) return std::nullopt;
  Sample sample;
  const std::string_view head = line.substr(0, space), number = line.substr(space + 1);
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), sample.value);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  const std::size_t brace = head.find('{');
  sample.name = head.substr(0, brace);
  if (brace != head.npos) sample.labels = head.substr(brace + 1, head.size() - brace - 2);
  return sample;
}

std::string duration(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.0f} h", seconds / 3600);
}

// In a plugin's line "|" begins the performance data, and a second line would be long output.
std::string plugin_text(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(
      out, [](char c) { return c == '|' || static_cast<unsigned char>(c) < 0x20; }, ' ');
  return out;
}

}  // namespace

std::optional<Health> read_metrics(std::string_view text) {
  Health health;
  bool ours = false;
  std::set<std::string, std::less<>> open;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto sample = parse_sample(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!sample) continue;
    const auto count = static_cast<std::int64_t>(sample->value);
    if (sample->name == "postern_build_info") {
      ours = true;
    } else if (sample->name == "postern_scheduler_up") {
      ++(sample->value == 1 ? health.schedulers : health.silent);
    } else if (sample->name == "postern_queue_oldest_due_seconds") {
      if (sample->value > health.oldest_due) {
        health.oldest_due = sample->value;
        health.oldest_queue = fmt::format("{}/{}", sample->label("tenant"), sample->label("queue"));
      }
    } else if (sample->name == "postern_queue_depth") {
      if (sample->label("state") == "ready") health.ready += count;
    } else if (sample->name == "postern_lane_breaker_state") {
      if (sample->label("state") == "open" && sample->value == 1) {
        open.insert(fmt::format("{}/{}/{}", sample->label("tenant"), sample->label("queue"),
                                sample->label("target")));
      }
    } else if (sample->name == "postern_tasks_created_total") {
      health.created += count;
    } else if (sample->name == "postern_tasks_finished_total") {
      health.finished += count;
      if (sample->label("status") == "failed") health.failed += count;
    } else if (sample->name == "postern_engine_paused") {
      health.paused = sample->value == 1;
    }
  }
  health.open_breakers = static_cast<int>(open.size());
  return ours ? std::optional(health) : std::nullopt;
}

Report judge(const Health& health, const Thresholds& thresholds) {
  Grade grade = Grade::ok;
  std::vector<std::string> said;
  const auto say = [&](Grade each, std::string text) {
    // What is wrong comes first.
    said.insert(each == Grade::ok ? said.end() : said.begin(), std::move(text));
    grade = std::max(grade, each);
  };
  const auto grade_of = [](double value, double warning, double critical) {
    return value >= critical ? Grade::critical : value >= warning ? Grade::warning : Grade::ok;
  };

  say(health.schedulers < thresholds.schedulers ? Grade::critical : Grade::ok,
      fmt::format("{} scheduler{} up", health.schedulers, health.schedulers == 1 ? "" : "s"));
  if (health.silent > 0) say(Grade::warning, fmt::format("{} fell silent", health.silent));
  if (health.paused) say(Grade::warning, "the whole engine is paused");
  say(grade_of(health.oldest_due, static_cast<double>(thresholds.due_warning.count()),
               static_cast<double>(thresholds.due_critical.count())),
      health.oldest_queue.empty()
          ? std::string("nothing is overdue")
          : fmt::format("oldest due {} in {}", duration(health.oldest_due), health.oldest_queue));
  std::optional<double> percent;
  if (health.recent) {
    const auto& recent = *health.recent;
    percent = recent.failed_percent();
    say(recent.enough() ? grade_of(*percent, thresholds.failed_warning, thresholds.failed_critical)
                        : Grade::ok,
        fmt::format("{} of {} tasks failed in 15 min", recent.failed, recent.ended));
  }
  say(health.open_breakers > 0 ? Grade::warning : Grade::ok,
      fmt::format("{} breaker{} open", health.open_breakers, health.open_breakers == 1 ? "" : "s"));

  std::string data = fmt::format(
      "schedulers={};;{}:;0 silent={};0;;0 oldest_due={:.0f}s;{};{};0 breakers={};0;;0 "
      "ready={};;;0 "
      "paused={};0;;0;1 created={}c finished={}c failed={}c",
      health.schedulers, thresholds.schedulers, health.silent, health.oldest_due,
      thresholds.due_warning.count(), thresholds.due_critical.count(), health.open_breakers,
      health.ready, int{health.paused}, health.created, health.finished, health.failed);
  if (percent) {
    data += fmt::format(" failed_percent={:.1f}%;{};{};0;100", *percent, thresholds.failed_warning,
                        thresholds.failed_critical);
  }
  return {grade, fmt::format("POSTERN {} - {} | {}", word(grade),
                             plugin_text(fmt::format("{}", fmt::join(said, ", "))), data)};
}

Report trouble(Grade grade, std::string_view sentence) {
  return {grade, fmt::format("POSTERN {} - {}", word(grade), plugin_text(sentence))};
}

}  // namespace postern::admin
