#include "cli/record.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "cli/output.h"
#include "cli/received.h"
#include "core/base/json.h"

namespace postern::admin {
namespace {

constexpr std::int64_t kNanoseconds = 1'000'000'000;

// Nothing stands behind a number whose field is called after its unit.
std::string with_unit(const Value& value) {
  switch (value.unit) {
    case wire::Unit::none: break;
    case wire::Unit::limit: return value.json == "-1" ? "no limit" : value.json;
    case wire::Unit::milliseconds:
      return value.name.ends_with("_ms") ? value.json : value.json + " ms";
    case wire::Unit::seconds:
      return value.name.ends_with("_seconds") ? value.json : value.json + " s";
    case wire::Unit::nanoseconds: {
      std::int64_t count = 0;
      std::from_chars(value.json.data(), value.json.data() + value.json.size(), count);
      if (count % kNanoseconds != 0) return value.json + " ns";
      return fmt::format("{} s", count / kNanoseconds);
    }
  }
  return value.json;
}

}  // namespace

Record& Record::add(std::string_view name, std::string json, wire::Unit unit) {
  if (find(name) == nullptr) values_.push_back({std::string(name), std::move(json), unit, {}});
  return *this;
}

Record& Record::add_text(std::string_view name, std::string_view text) {
  return add(name, json_quote(text));
}

Record& Record::show(std::string_view name, std::string_view shown) {
  for (auto& value : values_) {
    if (value.name == name) value.shown = shown;
  }
  return *this;
}

void Record::write(JsonWriter& out) const {
  out.begin_object();
  for (const auto& value : values_) out.key(value.name).raw(value.json);
  out.end_object();
}

std::string Record::cell(std::string_view name) const {
  if (const auto* value = find(name)) return shown_value(*value);
  const auto dot = name.find('.');
  if (dot == name.npos) return {};
  const auto* outer = find(name.substr(0, dot));
  if (outer == nullptr) return {};
  const auto members = parse_json_object(outer->json);
  if (!members) return {};
  for (const auto& member : *members) {
    if (member.key == name.substr(dot + 1)) {
      return shown_value({member.key, std::string(member.raw), wire::Unit::none, {}});
    }
  }
  return {};
}

const Value* Record::find(std::string_view name) const {
  const auto at = std::ranges::find(values_, name, &Value::name);
  return at == values_.end() ? nullptr : &*at;
}

std::string shown_value(const Value& value) {
  if (!value.shown.empty()) return value.shown;
  const std::string_view json = value.json;
  switch (json_kind(json)) {
    case JsonKind::null: return {};
    case JsonKind::boolean: return json == "true" ? "yes" : "no";
    case JsonKind::number: return with_unit(value);
    case JsonKind::string: return printable(json_string(json, value.name).value());
    case JsonKind::array:
    case JsonKind::object: break;
  }
  return printable(json);
}

void print(const Record& record, bool json) {
  if (json) {
    JsonWriter out;
    record.write(out);
    fmt::print("{}\n", out.text());
    return;
  }
  for (const auto& value : record.values()) {
    fmt::print("{}: {}\n", value.name, shown_value(value));
  }
}

void print(const std::vector<Record>& records, std::span<const std::string_view> columns,
           bool json) {
  if (json) {
    JsonWriter out;
    out.begin_array();
    for (const auto& record : records) record.write(out);
    out.end_array();
    fmt::print("{}\n", out.text());
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& record : records) {
    auto& row = rows.emplace_back();
    for (const auto column : columns) row.push_back(record.cell(column));
  }
  print_table({columns.begin(), columns.end()}, rows, false);
}

}  // namespace postern::admin
