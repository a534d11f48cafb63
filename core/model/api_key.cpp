#include "core/model/api_key.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/base/crypto.h"
#include "core/model/queue.h"

namespace postern {

// 43 characters of base 62 are 256 bits: nobody guesses one, so its plain SHA-256 is safe to keep.
std::string make_api_key(bool sandbox, std::string_view cell) {
  constexpr int kCharacters = 43;
  std::string key(sandbox ? kSandboxKeyPrefix : kKeyPrefix);
  if (!cell.empty()) key.append(cell) += '_';
  return key + random_base62(kCharacters);
}

Result<void> check_key_name(std::string_view name, std::string_view field) {
  constexpr std::size_t kMost = 64;
  if (name.empty()) {
    return invalid("name_required", std::string(field), fmt::format("{} is required.", field));
  }
  const auto fits = [](char c) { return c >= ' ' && c <= '~' && c != '/'; };
  if (name.size() > kMost || !std::ranges::all_of(name, fits) || name.front() == ' ' ||
      name.back() == ' ' || name == "." || name == "..") {
    return invalid("name_invalid", std::string(field),
                   fmt::format("A key's name must be 1 to {} printable ASCII characters without "
                               "\"/\" and without a space at either end.",
                               kMost));
  }
  return {};
}

}  // namespace postern
