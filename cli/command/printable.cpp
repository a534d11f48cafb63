#include "cli/command/printable.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "core/base/utf8.h"

namespace postern::admin {
namespace {

// Whether a character controls a terminal instead of being shown: C0, DEL and C1 controls, line
// separators, and marks that change the direction of writing.
bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

// `text` with `escape(out, sequence)` in place of each control and of each byte that is not UTF-8.
template <class Escape>
std::string escaped(std::string_view text, Escape escape) {
  std::string out;
  while (!text.empty()) {
    // Most of a text is plain ASCII, and goes over as it is.
    const auto odd =
        std::ranges::find_if(text, [](unsigned char c) { return c < 0x20 || c > 0x7E; });
    const auto plain = static_cast<std::size_t>(odd - text.begin());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::size_t length = utf8_length(text);
    const std::string_view sequence = text.substr(0, std::max<std::size_t>(length, 1));
    text.remove_prefix(sequence.size());
    const bool shown = length > 0 && !is_control(utf8_character(sequence));
    shown ? void(out += sequence) : escape(out, sequence);
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  return escaped(text, [](std::string& out, std::string_view sequence) {
    for (const char c : sequence) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  });
}

// JsonWriter has escaped those of C0, and the others can only be in strings.
std::string printable_json(std::string_view json) {
  return escaped(json, [](std::string& out, std::string_view sequence) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}",
                   static_cast<unsigned>(utf8_character(sequence)));
  });
}

}  // namespace postern::admin
