// 128-bit identifiers (RFC 9562), the type of `uuid` columns: random tokens (leases, instances) and
// task ids, whose layout is in core/model/ids.h.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace postern {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
};

// A version 4 UUID from the operating system's generator. Thread-safe.
Uuid random_uuid();

// "018f2f7e-....", in lower case.
std::string to_uuid(const Uuid& id);

}  // namespace postern
