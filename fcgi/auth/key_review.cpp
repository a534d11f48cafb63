#include "fcgi/auth/key_review.h"

#include <cstddef>
#include <exception>
#include <string_view>
#include <utility>

#include "core/base/hex.h"
#include "fcgi/auth/admission.h"
#include "fcgi/auth/authenticator.h"
#include "fcgi/server/db_access.h"

namespace postern {
namespace {

constexpr std::chrono::seconds kKept{5};
constexpr std::size_t kMostKept = 1'000;

std::optional<Sha256> hash_from(std::string_view hex) {
  Sha256 hash;
  if (hex.size() != 2 * hash.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return hash;
}

}  // namespace

void KeyReview::review(HttpRequest& request) {
  if (request.key_hash.empty() || request.verdict != Verdict::ok) return;
  std::optional<db::Identity> identity;
  try {
    if (const auto hash = hash_from(request.key_hash)) identity = identity_of(*hash);
    request.verdict = identity ? Verdict::ok : Verdict::invalid;
  } catch (const std::exception& error) {
    log_cannot_judge(error.what());
    request.verdict = Verdict::unavailable;
  }
  if (!identity) identity.emplace();
  request.identity = std::move(identity->name);
  request.role = std::move(identity->role);
  request.key_tenant = std::move(identity->tenant);
  request.operator_vouched.clear();
  if (request.role == name(Role::site_operator)) request.operator_vouched = kVouchedByKey;
}

std::optional<db::Identity> KeyReview::identity_of(const Sha256& hash) {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(hash);
    if (found != seen_.end() && now < found->second.until) return found->second.identity;
  }
  auto identity =
      read_from(pool_, [&](auto& connection) { return db::authenticate(connection, hash); });
  const std::lock_guard lock(mutex_);
  if (seen_.size() >= kMostKept) seen_.clear();
  seen_.insert_or_assign(hash, Seen{identity, now + kKept});
  return identity;
}

}  // namespace postern
