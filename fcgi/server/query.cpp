#include "fcgi/server/query.h"

#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "core/base/utf8.h"

namespace postern {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  if (out.find('\0') != out.npos || !is_utf8(out)) return std::nullopt;
  return out;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    using Limits = std::numeric_limits<std::int64_t>;
    return text.starts_with('-') ? Limits::min() : Limits::max();
  }
  return value;
}

Result<Query> Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto name = decode(pair.substr(0, equals));
    auto value = decode(equals == pair.npos ? "" : pair.substr(equals + 1));
    if (!name || !value) {
      return invalid("query_invalid", "",
                     "The query string holds a malformed percent escape, a NUL or bytes that are "
                     "not UTF-8.");
    }
    query.params_.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

bool Query::has(std::string_view name) const {
  return std::any_of(params_.begin(), params_.end(),
                     [&](const auto& param) { return param.first == name; });
}

std::vector<std::string> Query::texts(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : params_) {
    if (key == name) out.push_back(value);
  }
  return out;
}

std::optional<std::string> Query::text(std::string_view name) {
  const std::string* found = nullptr;
  for (const auto& [key, value] : params_) {
    if (key != name) continue;
    if (found != nullptr) {
      refuse(invalid("parameter_repeated", std::string(name),
                     fmt::format("The parameter {} is given twice.", name)));
      return std::nullopt;
    }
    found = &value;
  }
  if (found == nullptr || error_) return std::nullopt;
  return *found;
}

std::optional<std::int64_t> Query::integer(std::string_view name, std::string_view reason) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  const auto number = parse_integer(*value);
  if (!number) {
    refuse(invalid(std::string(reason), std::string(name),
                   fmt::format("{} must be an integer.", name)));
  }
  return number;
}

int Query::count(std::string_view name, std::string_view reason, int most, int otherwise) {
  const auto value = integer(name, reason).value_or(otherwise);
  if (value < 1 || value > most) {
    refuse(invalid(std::string(reason), std::string(name),
                   fmt::format("{} must be 1 to {}.", name, most)));
    return otherwise;
  }
  return static_cast<int>(value);
}

bool Query::flag(std::string_view name, std::string_view reason) {
  const auto value = text(name);
  if (value && *value != "true" && *value != "false") {
    refuse(invalid(std::string(reason), std::string(name),
                   fmt::format("{} must be true or false.", name)));
  }
  return value == "true";
}

std::optional<Time> Query::time(std::string_view name) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  constexpr std::size_t kDay = 10;  // "2025-01-15"
  const auto time = parse_rfc3339(value->size() == kDay ? *value + "T00:00:00Z" : *value);
  if (!time) {
    refuse(invalid("time_invalid", std::string(name),
                   fmt::format("{} must be a time as 2025-01-15T10:30:00Z, or a day as "
                               "2025-01-15.",
                               name)));
  }
  return time;
}

void Query::drop_empty(std::string_view name) {
  std::erase_if(params_,
                [&](const auto& each) { return each.first == name && each.second.empty(); });
}

void Query::require(const Result<void>& check) {
  if (!check) refuse(check.error());
}

void Query::refuse(Error error) {
  if (!error_) error_ = std::move(error);
}

Result<void> Query::finish() const {
  if (error_) return *error_;
  return {};
}

}  // namespace postern
