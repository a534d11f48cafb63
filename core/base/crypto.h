// The few cryptographic functions that Postern needs, over OpenSSL. All are thread-safe.
// They throw std::runtime_error when OpenSSL fails.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace postern {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view data);
Sha256 hmac_sha256(std::string_view key, std::string_view data);

// Fills `out` from OpenSSL's generator, which the operating system seeds.
void random_bytes(std::span<std::uint8_t> out);
// `n` characters of [0-9A-Za-z], uniformly.
std::string random_base62(std::size_t n);

// Compares in a time that does not depend on where the first difference is. Texts of different
// length are unequal at once.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace postern
