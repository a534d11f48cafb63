#include "core/model/validation.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "core/base/text.h"

namespace postern {
namespace {

constexpr std::size_t kMaxQueueName = 64;
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxTag = 64;
constexpr std::size_t kMaxKey = 128;
constexpr std::size_t kMaxContentType = 256;
constexpr std::size_t kMaxTenant = 63;

bool is_printable(char c) { return c > 0x20 && c < 0x7f; }  // "!" .. "~"
bool is_lower_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }
bool is_name_char(char c) { return is_alphanumeric(c) || c == '_' || c == ':' || c == '-'; }
bool is_media_token_char(char c) {
  return is_alphanumeric(c) || std::string_view("!#$&-^_.+").find(c) != std::string_view::npos;
}

// True when `text` has 1 to `max` characters and all of them satisfy `allowed`.
template <class Predicate>
bool consists_of(std::string_view text, std::size_t max, Predicate allowed) {
  return !text.empty() && text.size() <= max && std::all_of(text.begin(), text.end(), allowed);
}

Error refuse(std::string_view reason, std::string_view field, std::string message) {
  return invalid(std::string(reason), std::string(field), std::move(message));
}

}  // namespace

Result<void> check_queue_name(std::string_view name, std::string_view field) {
  if (name.empty()) return refuse("queue_name_required", field, "A queue's name is required.");
  if (!consists_of(name, kMaxQueueName, is_name_char)) {
    return refuse("queue_name_invalid", field,
                  fmt::format("A queue's name must be 1 to {} of A-Z, a-z, 0-9, \"_\", \":\" and "
                              "\"-\".",
                              kMaxQueueName));
  }
  return {};
}

Result<void> check_name(std::string_view name, std::string_view field, std::string_view reason) {
  if (!consists_of(name, kMaxName, is_name_char)) {
    return refuse(reason, field,
                  fmt::format("{} must be 1 to {} of A-Z, a-z, 0-9, \"_\", \":\" and \"-\".", field,
                              kMaxName));
  }
  return {};
}

Result<void> check_delay(std::int64_t seconds, std::string_view field) {
  if (seconds < 0 || seconds > kMaxDelay.count()) {
    return refuse("delay_out_of_range", field,
                  fmt::format("{} must be 0 to {} seconds (ten years); it is {}.", field,
                              kMaxDelay.count(), seconds));
  }
  return {};
}

Result<void> check_run_at(Time at, Time now, std::string_view field) {
  if (at > now + kMaxDelay) {
    return refuse("run_at_out_of_range", field,
                  fmt::format("{} must be at most ten years from now.", field));
  }
  return {};
}

Result<void> check_max_retries(std::int64_t retries, std::string_view field) {
  if (retries < 0 || retries > kMaxRetries) {
    return refuse("max_retries_out_of_range", field,
                  fmt::format("{} must be 0 to {}; it is {}.", field, kMaxRetries, retries));
  }
  return {};
}

Result<void> check_timeout(Milliseconds timeout, std::string_view field) {
  if (timeout < kMinTimeout || timeout > kMaxTimeout) {
    return refuse(
        "timeout_out_of_range", field,
        fmt::format("{} must be 1 second to 30 minutes; it is {} ms.", field, timeout.count()));
  }
  return {};
}

Result<void> check_method(std::string_view method, std::string_view field) {
  for (const std::string_view allowed : {"POST", "GET", "PUT", "PATCH", "DELETE"}) {
    if (method == allowed) return {};
  }
  return refuse("method_invalid", field,
                fmt::format("{} must be GET, POST, PUT, PATCH or DELETE, in upper case.", field));
}

Result<void> check_content_type(std::string_view type, std::string_view field) {
  const std::string_view essence = type.substr(0, type.find_first_of("; "));
  const std::size_t slash = essence.find('/');
  const bool ok =
      slash != essence.npos &&
      consists_of(essence.substr(0, slash), kMaxContentType, is_media_token_char) &&
      consists_of(essence.substr(slash + 1), kMaxContentType, is_media_token_char) &&
      consists_of(type, kMaxContentType, [](char c) { return c == ' ' || is_printable(c); });
  if (!ok) {
    return refuse("content_type_invalid", field,
                  fmt::format("{} must be a media type such as \"text/plain; charset=utf-8\", in "
                              "ASCII, of at most {} bytes.",
                              field, kMaxContentType));
  }
  return {};
}

Result<void> check_tag(std::string_view tag, std::string_view field) {
  if (!consists_of(tag, kMaxTag, [](char c) { return is_printable(c) && c != ','; })) {
    return refuse("tag_invalid", field,
                  fmt::format("A tag must be 1 to {} printable ASCII characters without space or "
                              "comma.",
                              kMaxTag));
  }
  return {};
}

Result<void> check_idempotency_key(std::string_view key) {
  const auto allowed = [](char c) { return c == ' ' || (is_printable(c) && c != ','); };
  if (!consists_of(key, kMaxKey, allowed)) {
    return refuse(
        "idempotency_key_invalid", "Idempotency-Key",
        fmt::format("Idempotency-Key must be 1 to {} printable ASCII characters without comma.",
                    kMaxKey));
  }
  return {};
}

bool is_traceparent(std::string_view text) {
  if (text.size() != 55 || !text.starts_with("00-") || text[35] != '-' || text[52] != '-') {
    return false;
  }
  const std::string_view trace = text.substr(3, 32);
  const std::string_view parent = text.substr(36, 16);
  const std::string_view flags = text.substr(53, 2);
  return consists_of(trace, 32, is_lower_hex) && consists_of(parent, 16, is_lower_hex) &&
         consists_of(flags, 2, is_lower_hex) && trace.find_first_not_of('0') != trace.npos &&
         parent.find_first_not_of('0') != parent.npos;
}

Result<void> check_key(std::string_view key, std::string_view field) {
  if (!consists_of(key, kMaxKey, is_printable)) {
    return refuse("key_invalid", field,
                  fmt::format("{} must be 1 to {} printable ASCII characters without space.", field,
                              kMaxKey));
  }
  return {};
}

Result<void> check_tenant(std::string_view name, std::string_view field) {
  const auto is_tenant_char = [](char c) {
    return is_digit(c) || is_lower(c) || c == '_' || c == '-';
  };
  if (!consists_of(name, kMaxTenant, is_tenant_char) || name.front() == '_' ||
      name.front() == '-') {
    return refuse("tenant_invalid", field,
                  fmt::format("A tenant's name must be 1 to {} of a-z, 0-9, \"_\" and \"-\", and "
                              "begin with a letter or digit.",
                              kMaxTenant));
  }
  return {};
}

}  // namespace postern
