// ASCII text: what a character is, cases, white space. The locale never matters.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace postern {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_alphanumeric(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }
constexpr bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// True for an empty text.
template <class Predicate>
constexpr bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

constexpr char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
std::string to_lower(std::string_view text);

// Compares as HTTP compares header names: "Content-Type" equals "content-type".
bool equal_ignoring_case(std::string_view a, std::string_view b);

constexpr std::string_view kWhitespace = " \t\n\v\f\r";
// `text` without the characters of `space` at its ends.
std::string_view trimmed(std::string_view text, std::string_view space = kWhitespace);

}  // namespace postern
