#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include <boost/json.hpp>

#include "core/base/json.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace postern;
using fuzz::require;

// By Boost alone, which knows nothing of our scanner.
boost::json::value parsed(std::string_view text, bool& valid) {
  boost::json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::json::error_code error;
  auto value = boost::json::parse(text, error, {}, options);
  valid = !error;
  return value;
}

// Boost makes NaN, which equals nothing, of a zero with a large exponent (0e888888885), and the
// last bits of a long number differ by how much of the text follows it.
bool is_same(double one, double other) {
  return one == other || (std::isnan(one) && std::isnan(other)) ||
         std::abs(one - other) <= 1e-14 * std::abs(one);
}

bool is_same(const boost::json::value& one, const boost::json::value& other) {
  if (one.is_double() && other.is_double()) return is_same(one.get_double(), other.get_double());
  if (one.is_array() && other.is_array()) {
    return std::ranges::equal(one.get_array(), other.get_array(),
                              [](const auto& a, const auto& b) { return is_same(a, b); });
  }
  if (one.is_object() && other.is_object()) {
    return std::ranges::equal(one.get_object(), other.get_object(),
                              [](const auto& a, const auto& b) {
                                return a.key() == b.key() && is_same(a.value(), b.value());
                              });
  }
  return one == other;
}

void read_value(std::string_view raw, const boost::json::value& expected) {
  bool valid = false;
  const auto alone = parsed(raw, valid);
  require(valid && is_same(alone, expected), "a member's bytes are its value");
  switch (json_kind(raw)) {
    case JsonKind::string: {
      const auto text = json_string(raw, "field");
      require(text && *text == std::string_view(expected.as_string()),
              "a string is decoded as Boost decodes it");
      return;
    }
    case JsonKind::array: {
      const auto elements = json_elements(raw);
      require(elements.size() == expected.as_array().size(), "an array has its elements");
      for (std::size_t i = 0; i < elements.size(); ++i)
        read_value(elements[i], expected.as_array()[i]);
      return;
    }
    case JsonKind::object: {
      const auto members = json_members(raw);
      if (!members) return;  // a doubled key
      require(members->size() == expected.as_object().size(), "an object has its members");
      return;
    }
    case JsonKind::null: require(expected.is_null(), "null"); return;
    case JsonKind::boolean: require(expected.is_bool(), "a boolean"); return;
    case JsonKind::number:
      require(expected.is_number(), "a number");
      require(json_number(raw) == std::strtod(std::string(raw).c_str(), nullptr),
              "a number is read as C reads it");
      return;
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  if (const auto members = parse_json_object(text)) {
    bool valid = false;
    const auto whole = parsed(text, valid);
    // Boost refuses half a surrogate pair.
    const bool has_half = text.find("\\ud") != text.npos || text.find("\\uD") != text.npos;
    if (!valid && has_half) return 0;
    require(valid && whole.is_object(), "what is accepted is an object");
    require(members->size() == whole.as_object().size(), "no member is lost");
    for (const auto& [key, raw] : *members) {
      require(raw.data() >= text.data() && raw.data() + raw.size() <= text.data() + text.size(),
              "a member is a part of the text");
      const auto* expected = whole.as_object().if_contains(key);
      require(expected != nullptr, "a key is decoded as Boost decodes it");
      read_value(raw, *expected);
    }
  }
  (void)parse_go_object(text);
  return 0;
}
