// Base64 (RFC 4648): section 4, the standard alphabet with padding, unless a name says otherwise.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern {

std::string base64_encode(std::string_view bytes);

// nullopt for characters outside the alphabet, wrong padding or length, and non-zero trailing bits.
std::optional<std::string> base64_decode(std::string_view text);

// The same with line breaks anywhere, as the command base64 writes them and Go's decoder skips
// them.
std::optional<std::string> base64_decode_lines(std::string text);

// The same without padding, in the alphabet for URLs (RFC 7515, section 2).
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace postern
