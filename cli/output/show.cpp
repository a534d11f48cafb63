#include "cli/output/show.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "cli/command/context.h"
#include "cli/command/printable.h"
#include "cli/output/local_time.h"
#include "cli/output/table.h"
#include "core/wire/endpoint_json.h"
#include "core/wire/queue_json.h"
#include "core/wire/schedule_json.h"
#include "core/wire/task_json.h"

namespace postern::admin {
namespace {

constexpr std::int64_t kNanoseconds = 1'000'000'000;

template <class T>
void add_units(std::map<std::string_view, wire::Unit>& units, wire::Fields<T> fields) {
  for (const auto& field : fields) {
    if (field.unit != wire::Unit::none) units.emplace(field.name, field.unit);
  }
}

// What the API's numbers count, by the names of their fields.
wire::Unit unit_of(std::string_view name) {
  static const auto units = [] {
    std::map<std::string_view, wire::Unit> out;
    add_units(out, wire::queue_fields());
    add_units(out, wire::endpoint_fields());
    add_units(out, wire::health_fields());
    add_units(out, wire::schedule_fields());
    add_units(out, wire::task_fields());
    return out;
  }();
  const auto at = units.find(name);
  return at == units.end() ? wire::Unit::none : at->second;
}

// Nothing stands behind a number whose field is called after its unit.
std::string with_unit(std::string_view name, std::string_view raw) {
  std::string number(raw);
  switch (unit_of(name)) {
    case wire::Unit::none: break;
    case wire::Unit::limit: return raw == "-1" ? "no limit" : number;
    case wire::Unit::milliseconds: return name.ends_with("_ms") ? number : number + " ms";
    case wire::Unit::seconds: return name.ends_with("_seconds") ? number : number + " s";
    case wire::Unit::nanoseconds: {
      std::int64_t count = 0;
      std::from_chars(raw.data(), raw.data() + raw.size(), count);
      if (count == 0) return "no limit";
      return count % kNanoseconds != 0 ? number + " ns" : fmt::format("{} s", count / kNanoseconds);
    }
  }
  return number;
}

std::string shown_text(std::string_view name, std::string_view raw, Room room) {
  const auto decoded = json_string(raw, name);
  const std::string text = decoded ? *decoded : std::string(raw);
  const bool is_time = name.ends_with("_at") || name.ends_with("_time") ||
                       name.ends_with("until") || name == "time" || name == "deadline" ||
                       name == "since";
  if (is_time) {
    if (const auto time = parse_rfc3339(text)) {
      return local_time(*time, room == Room::table ? Shown::minutes : Shown::seconds);
    }
  }
  return printable(text);
}

// "50 per 1 s, burst 100".
std::string shown_rate(const JsonObject& rate) {
  std::string out = fmt::format("{} per {} s", printable(rate.raw("count")),
                                printable(rate.raw("period_seconds")));
  if (rate.has("burst")) out += fmt::format(", burst {}", printable(rate.raw("burst")));
  return out;
}

std::string cell_of(const JsonObject& object, std::string_view fields) {
  while (!fields.empty()) {
    const auto end = std::min(fields.find('|'), fields.size());
    const auto field = fields.substr(0, end);
    fields.remove_prefix(std::min(end + 1, fields.size()));
    const auto raw = object.raw(field);
    if (raw.empty() || raw == "null") continue;
    const auto dot = field.rfind('.');
    return shown_value(dot == field.npos ? field : field.substr(dot + 1), raw, Room::table);
  }
  return {};
}

}  // namespace

std::string shown_value(std::string_view name, std::string_view raw, Room room) {
  if (raw.empty()) return {};
  switch (json_kind(raw)) {
    case JsonKind::null: return {};
    case JsonKind::boolean: return raw == "true" ? "yes" : "no";
    case JsonKind::number: return with_unit(name, raw);
    case JsonKind::string: return shown_text(name, raw, room);
    case JsonKind::object:
      if (name == "rate_limit") return shown_rate(JsonObject(raw));
      break;
    case JsonKind::array: break;
  }
  return printable(raw);
}

void print_objects(const std::vector<std::string>& objects, std::span<const Column> columns,
                   const Context& context) {
  if (context.json) {
    fmt::print("[");
    for (std::size_t i = 0; i < objects.size(); ++i) fmt::print("{}{}", i ? ",\n" : "", objects[i]);
    fmt::print("]\n");
    return;
  }
  Table table(columns);
  for (const auto& json : objects) {
    const JsonObject object(json);
    std::vector<std::string> row;
    for (const auto& column : columns) row.push_back(cell_of(object, column.field));
    table.add(std::move(row));
  }
  table.print(context.wide ? std::string::npos : output_width());
}

void print_lines(const JsonObject& object, std::string_view prefix) {
  for (const auto& member : object.members()) {
    const bool is_object = json_kind(member.raw) == JsonKind::object;
    if (is_object && prefix.empty() && member.key != "rate_limit" && member.key != "retry_policy") {
      print_lines(JsonObject(member.raw), printable(member.key) + ".");
      continue;
    }
    const auto value = member.raw == "null" ? "none" : shown_value(member.key, member.raw);
    fmt::print("{}{}: {}\n", prefix, printable(member.key),
               member.key == "status" ? coloured(value) : value);
  }
}

void print_object(std::string_view json, const Context& context) {
  if (context.json) {
    if (!json.empty()) fmt::print("{}\n", json);
    return;
  }
  print_lines(JsonObject(json));
}

void say(const Context& context, const std::string& sentence) {
  if (!context.json) fmt::print("{}\n", printable(sentence));
}

std::string coloured(std::string_view text) {
  if (!wants_colour()) return std::string(text);
  const auto paint = [&](int code) { return fmt::format("\x1b[{}m{}\x1b[0m", code, text); };
  if (text == "failed" || text == "lost") return paint(31);
  if (text == "completed" || text == "success") return paint(32);
  if (text == "active" || text == "blocked") return paint(33);
  return std::string(text);
}

}  // namespace postern::admin
