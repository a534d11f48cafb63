// One task for people, and how it goes on.
#include <fmt/format.h>

#include "cli/command/ending.h"
#include "cli/command/printable.h"
#include "cli/objects/tasks.h"
#include "cli/output/local_time.h"
#include "cli/output/show.h"
#include "core/model/ids.h"
#include "core/program/clock.h"

namespace postern::admin {
namespace {

constexpr char kWait[] = "20";  // seconds, within what the API and nginx allow

// A text in lines of its own, without what could steer a terminal.
void print_block(const std::string& heading, std::string_view text) {
  fmt::print("{}:\n", heading);
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    fmt::print("  {}\n", printable(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void print_headers(const std::string& heading, const JsonObject& headers) {
  if (headers.members().empty()) return;
  fmt::print("{}:\n", heading);
  for (const auto& each : headers.members()) {
    fmt::print("  {}: {}\n", printable(each.key), shown_value("", each.raw));
  }
}

void print_attempt(const JsonObject& attempt) {
  const auto code = attempt.raw("response_code");
  fmt::print("  {}. {}, {}, {} ms, {}\n", attempt.raw("number"), coloured(attempt.text("status")),
             code == "null" ? "no answer" : std::string(code), attempt.raw("duration_ms"),
             shown_value("executed_at", attempt.raw("executed_at")));
  if (attempt.has("error")) fmt::print("     {}\n", printable(attempt.text("error")));
  if (const auto answer = attempt.text("response"); !answer.empty()) {
    fmt::print("     answer: {}\n", printable(answer));
  }
}

void print_result(const JsonObject& result) {
  fmt::print("result: {} after {} ms\n", result.raw("response_code"), result.raw("duration_ms"));
  const JsonObject headers = result.object("headers");
  for (const auto& each : headers.members()) {
    fmt::print("  {}: {}\n", printable(each.key), shown_value("", each.raw));
  }
  if (const auto body = result.text("body"); !body.empty()) print_block("answer", body);
}

}  // namespace

void print_task(std::string_view json, const Context& context) {
  if (context.json) return print_object(json, context);
  const JsonObject task(json);
  for (const auto& member : task.members()) {
    const std::string_view name = member.key;
    if (name == "payload") {
      print_block("payload", pretty_json(member.raw));
    } else if (name == "body") {
      print_block("body", task.text(name));
    } else if (name == "headers") {
      print_headers("headers", JsonObject(member.raw));
    } else if (name == "attempts") {
      const auto attempts = task.elements(name);
      if (!attempts.empty()) fmt::print("attempts:\n");
      for (const auto each : attempts) print_attempt(JsonObject(each));
    } else if (name == "result") {
      print_result(JsonObject(member.raw));
    } else {
      const auto value = shown_value(name, member.raw);
      fmt::print("{}: {}\n", printable(name), name == "status" ? coloured(value) : value);
    }
    // The database's tables hold the UUID.
    if (const auto id = name == "id" ? parse_task_id(task.text(name)) : std::nullopt) {
      fmt::print("uuid: {}\n", to_uuid(*id));
    }
  }
}

void watch_task(Client& client, const std::string& id, const Context& context) {
  std::string seen;
  for (bool first = true;; first = false) {
    ApiRequest request{"GET", {"tasks", id}};
    if (!first) request.query.emplace_back("wait", kWait);
    const auto answer = client.ask(request);
    const JsonObject task(answer);
    const auto status = task.text("status");
    const auto now = fmt::format("{} {}", status, task.raw("attempt_count"));
    if (now != seen) {
      seen = now;
      if (context.json) {
        fmt::print("{}\n", answer);
      } else {
        fmt::print("{}  {}  tries {}{}\n", local_time(wall_clock()), coloured(printable(status)),
                   task.raw("attempt_count"),
                   task.has("last_error") ? "  " + printable(task.text("last_error")) : "");
      }
      std::fflush(stdout);
    }
    if (status == "completed") return;
    if (status == "failed" || status == "cancelled") throw Exit{kNotDone};
  }
}

}  // namespace postern::admin
