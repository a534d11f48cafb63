// Writes JSON text piece by piece. Used instead of a DOM because payloads are inserted with their
// bytes unchanged, and because most answers are written once and never read here.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace postern {

// Commas are placed by the writer. REQUIRES: calls nest properly; in an object a key comes first.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  // Bytes that are not valid UTF-8 are replaced by U+FFFD.
  JsonWriter& string(std::string_view text);
  JsonWriter& number(std::int64_t value);
  JsonWriter& number(int value) { return number(std::int64_t{value}); }
  // The shortest text that reads back as `value`; null for infinities and NaN, which JSON lacks.
  JsonWriter& number(double value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  // `json` must itself be valid JSON; it is inserted unchanged.
  JsonWriter& raw(std::string_view json);

  // Key and value in one call. The third is a template so that no pointer or number converts to
  // bool.
  JsonWriter& member(std::string_view name, std::string_view text) {
    return key(name).string(text);
  }
  JsonWriter& member(std::string_view name, std::int64_t value) { return key(name).number(value); }
  JsonWriter& member(std::string_view name, std::same_as<bool> auto value) {
    return key(name).boolean(value);
  }

  const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void separate();
  std::string out_;
  bool need_comma_ = false;
};

// `text` as a JSON string literal, quotes included; invalid UTF-8 becomes U+FFFD, and with
// `for_jsonb` so does NUL, since PostgreSQL's jsonb refuses \u0000.
std::string json_quote(std::string_view text, bool for_jsonb = false);

}  // namespace postern
