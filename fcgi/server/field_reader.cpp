#include "fcgi/server/field_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/time/go_duration.h"
#include "fcgi/server/query.h"

namespace postern {
namespace {

constexpr std::size_t kShownName = 100;

}  // namespace

Result<FieldReader> FieldReader::parse(std::string_view body, std::string_view within) {
  Result<std::vector<JsonMember>> members = parse_json_object(body, within);
  if (!members) return members.error();
  return Result<FieldReader>(boost::system::in_place_value, std::move(*members),
                             std::string(within));
}

Result<FieldReader> FieldReader::parse_as_go(std::string_view body) {
  Result<std::vector<JsonMember>> members = parse_go_object(body);
  if (!members) return members.error();
  FieldReader reader(std::move(*members));
  reader.as_go_ = true;
  return reader;
}

std::string FieldReader::full(std::string_view name) const {
  return within_.empty() ? std::string(name) : fmt::format("{}.{}", within_, name);
}

Result<FieldReader> FieldReader::part(std::string_view object, std::string_view field) {
  Result<std::vector<JsonMember>> members = json_members(object, field);
  if (!members) return members.error();
  return Result<FieldReader>(boost::system::in_place_value, std::move(*members));
}

std::optional<std::string_view> FieldReader::take(std::string_view name) {
  std::optional<std::string_view> last;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].key != name) continue;
    taken_[i] = true;
    last = members_[i].raw;
  }
  if (error_ || (last && json_kind(*last) == JsonKind::null)) return std::nullopt;
  return last;
}

void FieldReader::wrong_type(std::string_view name, std::string_view expected) {
  const std::string field = full(name);
  refuse(invalid("invalid_type", field, fmt::format("{} must be {}.", field, expected)));
}

std::string FieldReader::decode(std::string_view raw, std::string_view name) {
  Result<std::string> value = json_string(raw, full(name));
  if (value) return std::move(*value);
  refuse(value.error());
  return {};
}

std::optional<std::string> FieldReader::text(std::string_view name) {
  const auto raw = take(name);
  if (!raw) return std::nullopt;
  if (json_kind(*raw) != JsonKind::string) {
    wrong_type(name, "a string");
    return std::nullopt;
  }
  return decode(*raw, name);
}

std::optional<std::int64_t> FieldReader::integer(std::string_view name) {
  const auto raw = take(name);
  if (!raw) return std::nullopt;
  const auto value = json_kind(*raw) == JsonKind::number ? parse_integer(*raw) : std::nullopt;
  if (!value) wrong_type(name, "an integer, written without fraction or exponent");
  return value;
}

std::optional<double> FieldReader::number(std::string_view name) {
  const auto raw = take(name);
  if (!raw) return std::nullopt;
  if (json_kind(*raw) != JsonKind::number) {
    wrong_type(name, "a number");
    return std::nullopt;
  }
  return json_number(*raw);
}

std::optional<bool> FieldReader::boolean(std::string_view name) {
  const auto raw = take(name);
  if (!raw) return std::nullopt;
  if (json_kind(*raw) != JsonKind::boolean) {
    wrong_type(name, "true or false");
    return std::nullopt;
  }
  return *raw == "true";
}

std::optional<std::chrono::nanoseconds> FieldReader::duration(std::string_view name) {
  const auto raw = take(name);
  if (!raw) return std::nullopt;
  if (json_kind(*raw) != JsonKind::string) {
    refuse(invalid(as_go_ ? "invalid_type" : "invalid_duration", std::string(name),
                   fmt::format("{} must be a string with units, such as \"1h30m\".", name)));
    return std::nullopt;
  }
  const auto value = read_go_duration(decode(*raw, name), name);
  if (value) return *value;
  refuse(value.error());
  return std::nullopt;
}

std::optional<RateLimit> FieldReader::rate_limit(std::string_view name) {
  const auto raw = object(name, "invalid_type");
  if (!raw) return std::nullopt;
  auto parts = parse(*raw, full(name));
  if (!parts) {
    refuse(parts.error());
    return std::nullopt;
  }
  const auto required = [&](std::string_view part) {
    const auto value = parts->integer(part);
    if (!value) {
      parts->refuse(invalid("rate_limit_incomplete", parts->full(part),
                            fmt::format("{} is required.", parts->full(part))));
    }
    return value.value_or(0);
  };
  RateLimit limit;
  limit.count = required("count");
  limit.period = Seconds{required("period_seconds")};
  limit.burst = parts->integer("burst");
  require(parts->finish());
  return limit;
}

std::optional<Time> FieldReader::time(std::string_view name) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  const auto time = parse_rfc3339(*value);
  if (!time) {
    refuse(invalid("time_invalid", std::string(name),
                   fmt::format("{} must be a time as 2025-01-15T10:30:00Z.", name)));
  }
  return time;
}

std::optional<std::string_view> FieldReader::object(std::string_view name,
                                                    std::string_view reason) {
  const auto raw = take(name);
  if (!raw || json_kind(*raw) == JsonKind::object) return raw;
  refuse(invalid(std::string(reason), std::string(name),
                 fmt::format("{} must be a JSON object.", name)));
  return std::nullopt;
}

std::optional<std::vector<std::string_view>> FieldReader::elements(std::string_view name) {
  const auto raw = take(name);
  if (!raw) return std::nullopt;
  if (json_kind(*raw) != JsonKind::array) {
    wrong_type(name, "an array");
    return std::nullopt;
  }
  return json_elements(*raw, kMostElements);
}

std::vector<std::string> FieldReader::texts(std::string_view name) {
  std::vector<std::string> out;
  const auto raw = take(name);
  if (!raw) return out;
  if (json_kind(*raw) != JsonKind::array) {
    wrong_type(name, "an array of strings");
    return out;
  }
  for (const std::string_view element : json_elements(*raw, kMostElements)) {
    if (json_kind(element) != JsonKind::string) {
      wrong_type(name, "an array of strings");
      return out;
    }
    out.push_back(decode(element, name));
  }
  return out;
}

Headers FieldReader::headers(std::string_view name) {
  Headers out;
  const auto raw = object(name, "invalid_type");
  if (!raw) return out;
  Result<std::vector<JsonMember>> members = json_members(*raw, name);
  if (!members) {
    refuse(members.error());
    return out;
  }
  for (JsonMember& member : *members) {
    if (json_kind(member.raw) != JsonKind::string) {
      wrong_type(fmt::format("{}.{}", name, member.key.substr(0, kShownName)), "a string");
      return out;
    }
    std::string value = decode(member.raw, name);
    out.push_back({std::move(member.key), std::move(value)});
  }
  return out;
}

std::optional<std::string> FieldReader::text_or_object(std::string_view name) {
  const auto raw = take(name);
  if (!raw) return std::nullopt;
  switch (json_kind(*raw)) {
    case JsonKind::string: return decode(*raw, name);
    case JsonKind::object: return std::string(*raw);
    default: wrong_type(name, "a string or an object"); return std::nullopt;
  }
}

bool FieldReader::has(std::string_view name) const {
  return std::any_of(members_.begin(), members_.end(),
                     [&](const JsonMember& member) { return member.key == name; });
}

bool FieldReader::present(std::string_view name) { return take(name).has_value(); }

void FieldReader::require(const Result<void>& check) {
  if (!check) refuse(check.error());
}

void FieldReader::refuse(Error error) {
  if (!error_) error_ = std::move(error);
}

Result<void> FieldReader::finish_leniently() const {
  if (error_) return *error_;
  return {};
}

Result<void> FieldReader::finish() const {
  if (error_) return *error_;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (taken_[i]) continue;
    const std::string shown = full(members_[i].key.substr(0, kShownName));
    return invalid("unknown_field", shown, fmt::format("There is no field \"{}\" here.", shown));
  }
  return {};
}

}  // namespace postern
