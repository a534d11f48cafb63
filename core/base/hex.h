// Bytes as hexadecimal digits.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace postern {

// Lower-case digits, two a byte.
std::string to_hex(std::span<const std::uint8_t> bytes);

// 0 to 15, or -1 when `c` is no hexadecimal digit. Either case.
int hex_value(char c);

}  // namespace postern
