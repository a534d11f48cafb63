#include "core/base/uuid.h"

#include <cstddef>

#include "core/base/crypto.h"
#include "core/base/hex.h"

namespace postern {

Uuid random_uuid() {
  Uuid uuid;
  random_bytes(uuid.bytes);
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  return uuid;
}

std::string to_uuid(const Uuid& id) {
  std::string out = to_hex(id.bytes);
  for (const std::size_t at : {20, 16, 12, 8}) out.insert(at, 1, '-');
  return out;
}

}  // namespace postern
