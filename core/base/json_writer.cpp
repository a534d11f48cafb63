#include "core/base/json_writer.h"

#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "core/base/utf8.h"

namespace postern {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

void append_quoted(std::string& out, std::string_view text, bool for_jsonb) {
  out += '"';
  std::size_t plain = 0;  // the bytes from here up to `at` are to be copied as they are
  std::size_t at = 0;
  const auto replace = [&](std::string_view by) {
    out.append(text.substr(plain, at - plain)).append(by);
    plain = ++at;
  };
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x80) {
      if (const std::size_t length = utf8_length(text.substr(at)); length > 0) {
        at += length;
      } else {
        replace(kReplacement);
      }
    } else if (c >= 0x20 && c != '"' && c != '\\') {
      ++at;
    } else if (c == '"') {
      replace("\\\"");
    } else if (c == '\\') {
      replace("\\\\");
    } else if (c == '\n') {
      replace("\\n");
    } else if (c == '\r') {
      replace("\\r");
    } else if (c == '\t') {
      replace("\\t");
    } else if (c == 0 && for_jsonb) {
      replace(kReplacement);
    } else {
      replace(fmt::format("\\u{:04x}", c));
    }
  }
  out.append(text.substr(plain)) += '"';
}

}  // namespace

void JsonWriter::separate() {
  if (need_comma_) out_ += ',';
  need_comma_ = true;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_ += '{';
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  need_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  out_ += '[';
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  need_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_quoted(out_, name, false);
  out_ += ':';
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  append_quoted(out_, text, false);
  return *this;
}

JsonWriter& JsonWriter::number(std::int64_t value) {
  separate();
  fmt::format_to(std::back_inserter(out_), "{}", value);
  return *this;
}

JsonWriter& JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  separate();
  fmt::format_to(std::back_inserter(out_), "{}", value);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

std::string json_quote(std::string_view text, bool for_jsonb) {
  std::string out;
  out.reserve(text.size() + 2);
  append_quoted(out, text, for_jsonb);
  return out;
}

}  // namespace postern
