// Which bytes are UTF-8, and what they stand for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern {

// The length of the UTF-8 sequence that `text` begins with, 0 when it is not a valid one (overlong,
// a surrogate, over U+10FFFF, cut off). REQUIRES: not empty.
std::size_t utf8_length(std::string_view text);

// The character that a valid sequence stands for.
char32_t utf8_character(std::string_view sequence);

bool is_utf8(std::string_view text);

// `text` as a text column takes it, in `most` bytes: invalid bytes are replaced by U+FFFD, NUL is
// left out, and it is cut between two characters.
std::string storable_text(std::string_view text, std::size_t most);

}  // namespace postern
