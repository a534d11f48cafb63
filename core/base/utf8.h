// Validates and decodes UTF-8.
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

// The first `most` bytes of `text`, less the character that they would cut. Bytes that are no UTF-8
// are cut at `most`.
std::string_view first_bytes(std::string_view text, std::size_t most);

// `text` made fit for a PostgreSQL text column, in at most `most` bytes: invalid bytes become
// U+FFFD, NUL is dropped, and a longer text is cut between two characters.
std::string storable_text(std::string_view text, std::size_t most);

}  // namespace postern
