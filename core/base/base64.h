// Base64 (RFC 4648 section 4): the standard alphabet, padded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern {

std::string base64_encode(std::string_view bytes);

// nullopt for characters outside the alphabet, wrong padding or length, and non-zero trailing bits.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace postern
