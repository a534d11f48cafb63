#include "core/base/utf8.h"

namespace postern {

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xC2   ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  const unsigned char second = byte(1);
  if (lead == 0xE0 && second < 0xA0) return 0;
  if (lead == 0xED && second > 0x9F) return 0;
  if (lead == 0xF0 && second < 0x90) return 0;
  if (lead == 0xF4 && second > 0x8F) return 0;
  return length;
}

char32_t utf8_character(std::string_view sequence) {
  char32_t character = static_cast<unsigned char>(sequence[0]);
  // The lead byte of n > 1 bytes begins with n ones and a zero.
  if (sequence.size() > 1) character &= 0x7FU >> sequence.size();
  for (const char c : sequence.substr(1)) {
    character = character << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  }
  return character;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string_view first_bytes(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  const auto continues = [&](std::size_t at) { return (text[at] & '\xC0') == '\x80'; };
  std::size_t start = most;
  while (start > 0 && most - start < 3 && continues(start)) --start;
  const bool cuts_character = start < most && start + utf8_length(text.substr(start)) > most;
  return text.substr(0, cuts_character ? start : most);
}

std::string storable_text(std::string_view text, std::size_t most) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = length == 0            ? "\xEF\xBF\xBD"
                                       : text.front() == '\0' ? std::string_view()
                                                              : text.substr(0, length);
    if (out.size() + character.size() > most) break;
    out += character;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace postern
