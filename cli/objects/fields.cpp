#include "cli/objects/fields.h"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <iterator>
#include <stdexcept>

#include <fmt/format.h>

#include "cli/command/ending.h"
#include "cli/output/json.h"
#include "core/base/text.h"
#include "core/program/clock.h"
#include "core/program/config.h"
#include "core/program/file.h"
#include "core/time/go_duration.h"

namespace postern::admin {
namespace {

void write_headers(JsonWriter& out, const std::string& flag,
                   const std::vector<std::string>& lines) {
  out.begin_object();
  for (const auto& line : lines) {
    const auto colon = line.find(':');
    if (colon == line.npos) {
      refuse_option(flag, fmt::format("\"{}\" must be \"Name: value\"", line));
    }
    out.member(trimmed(std::string_view(line).substr(0, colon)),
               trimmed(std::string_view(line).substr(colon + 1)));
  }
  out.end_object();
}

void write_texts(JsonWriter& out, const std::vector<std::string>& texts) {
  out.begin_array();
  for (const auto& text : texts) out.string(text);
  out.end_array();
}

void write_json(JsonWriter& out, const std::string& flag, const std::string& text) {
  if (!is_json(text)) refuse_option(flag, "this is not valid JSON");
  out.raw(text);
}

void write_boolean(JsonWriter& out, const std::string& flag, const std::string& text) {
  if (text != "true" && text != "false") refuse_option(flag, "it must be true or false");
  out.boolean(text == "true");
}

// Days are no unit of Go's.
std::string go_duration_of(const std::string& flag, const std::string& text) {
  return parse_go_duration(text) ? text : fmt::format("{}s", seconds_of(flag, text));
}

void write_value(JsonWriter& out, const FieldOption& option, const std::string& text) {
  const std::string flag = option.flag;
  switch (option.kind) {
    case Kind::text: out.string(text); break;
    case Kind::nullable: text.empty() ? out.null() : out.string(text); break;
    case Kind::number: out.number(number_of(flag, text)); break;
    case Kind::limit: {
      const auto number = number_of(flag, text);
      number == 0 ? out.null() : out.number(number);
      break;
    }
    case Kind::boolean: write_boolean(out, flag, text); break;
    case Kind::seconds: out.number(seconds_of(flag, text)); break;
    case Kind::go_duration: out.string(go_duration_of(flag, text)); break;
    case Kind::time: out.string(time_of(text, Side::after)); break;
    case Kind::json: write_json(out, flag, text); break;
    case Kind::text_or_json:
      text.starts_with('{') ? write_json(out, flag, text) : void(out.string(text));
      break;
    case Kind::yes:
    case Kind::texts:
    case Kind::headers: break;
  }
}

}  // namespace

void FieldOptions::add_to(Command& command) {
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const FieldOption& option = table_[i];
    switch (option.kind) {
      case Kind::yes: command.flag(option.flag, values_[i].yes, option.help); break;
      case Kind::texts:
      case Kind::headers:
        command.option(option.flag, values_[i].texts, option.help).one_value_each();
        break;
      default: command.option(option.flag, values_[i].text, option.help);
    }
  }
}

bool FieldOptions::given(std::string_view field) const {
  for (std::size_t i = 0; i < table_.size(); ++i) {
    if (table_[i].field == field && values_[i].given()) return true;
  }
  return false;
}

bool FieldOptions::any() const { return std::ranges::any_of(values_, &Value::given); }

void FieldOptions::want_target() const {
  if (given("url") || given("webhook_url") || given("endpoint")) return;
  throw UsageError("--webhook-url: say what is called; --url is the API's own address");
}

void FieldOptions::write(JsonWriter& out) const {
  std::string_view open;  // the member whose members are written
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const FieldOption& option = table_[i];
    const Value& value = values_[i];
    if (!value.given()) continue;
    const auto dot = option.field.find('.');
    const auto outer = dot == option.field.npos ? std::string_view() : option.field.substr(0, dot);
    if (outer != open) {
      if (!open.empty()) out.end_object();
      if (!outer.empty()) out.key(outer).begin_object();
      open = outer;
    }
    out.key(outer.empty() ? option.field : option.field.substr(dot + 1));
    if (value.yes) {
      out.boolean(true);
    } else if (option.kind == Kind::headers) {
      write_headers(out, option.flag, value.texts);
    } else if (option.kind == Kind::texts) {
      write_texts(out, value.texts);
    } else {
      write_value(out, option, *value.text);
    }
  }
  if (!open.empty()) out.end_object();
}

std::string FieldOptions::flag_of(std::string_view field) const {
  for (const FieldOption& option : table_) {
    if (option.field == field || option.field.substr(0, option.field.find('.')) == field) {
      return option.flag;
    }
  }
  return field == "rate_limit" ? "--rate" : "";
}

void RateOptions::add_to(Command& command) {
  command.option("--rate", rate_, "attempts in each period; 0: no limit");
  command.option("--period", period_, "of the rate, such as 1m; 1s unless said");
  command.option("--burst", burst_, "so many at once after a pause; 0: none");
}

void RateOptions::write(JsonWriter& out, std::string_view there) const {
  if (!given()) return;
  const std::int64_t rate = rate_ ? number_of("--rate", *rate_) : 0;
  const char* other = period_ ? "--period" : "--burst";
  if (rate_ && rate == 0) {
    if (period_ || burst_) refuse_option(other, "--rate 0 is no limit, which has none");
    out.key("rate_limit").null();
    return;
  }
  const JsonObject old(there);
  if (!rate_ && !old.has("count")) {
    refuse_option(other, "it belongs to a rate, and there is none: give --rate too");
  }
  out.key("rate_limit").begin_object();
  const auto write = [&](const char* name, const char* flag, const std::optional<std::string>& said,
                         auto parse, std::string_view otherwise) {
    if (said) {
      out.member(name, parse(flag, *said));
    } else if (old.has(name)) {
      out.key(name).raw(old.raw(name));
    } else if (!otherwise.empty()) {
      out.key(name).raw(otherwise);
    }
  };
  write("count", "--rate", rate_, number_of, "");
  write("period_seconds", "--period", period_, seconds_of, "1");
  if (!burst_ || *burst_ != "0") write("burst", "--burst", burst_, number_of, "");
  out.end_object();
}

std::int64_t number_of(const std::string& flag, const std::string& text) {
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
    refuse_option(flag, fmt::format("\"{}\" is not a whole number", text));
  }
  return number;
}

std::int64_t seconds_of(const std::string& flag, const std::string& text) {
  return duration_option(flag, text).count();
}

std::string time_of(const std::string& text, Side side) {
  if (!text.empty() && is_digit(text.front()) && !is_digit(text.back())) {
    try {
      const Seconds ago = parse_setting_duration(text);
      const Time now = wall_clock();
      return format_rfc3339(side == Side::before ? now - ago : now + ago);
    } catch (const std::invalid_argument&) {
    }
  }
  return text;
}

std::string content_of(const std::string& flag, const std::string& file) {
  if (file == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  auto content = file_content(file);
  if (!content) refuse_option(flag, fmt::format("cannot read {}", file));
  return *std::move(content);
}

}  // namespace postern::admin
