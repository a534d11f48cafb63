#include "core/model/lane.h"

#include "core/base/crypto.h"

namespace postern {
namespace {

constexpr int kLaneBits = 40;
constexpr std::uint64_t kOfLane = (std::uint64_t{1} << kLaneBits) - 1;

std::uint64_t first_bits(std::string_view text) {
  const auto hash = sha256(text);
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | hash[i];
  return bits;
}

}  // namespace

std::string lane_target(const TaskSpec& task) {
  if (!task.endpoint.empty()) return "endpoint:" + task.endpoint;
  // The canonical URL is scheme://authority/path, so the authority needs no parsing.
  const auto scheme = task.url.find("://");
  if (scheme == task.url.npos) return task.url;  // of an odd row
  const auto from = scheme + 3;
  return task.url.substr(from, task.url.find('/', from) - from);
}

std::string_view host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == url.npos) return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#\\"));
  return url.substr(url.rfind('@') + 1);  // npos + 1 is 0
}

std::int64_t lane_id(std::string_view tenant, std::string_view queue, std::string_view target) {
  std::string text;
  text.append(tenant).push_back('\0');
  text.append(queue).push_back('\0');
  text.append(target);
  return static_cast<std::int64_t>((first_bits(tenant) & ~kOfLane) | (first_bits(text) & kOfLane));
}

LaneTenant lane_tenant(std::int64_t lane) {
  return static_cast<LaneTenant>(static_cast<std::uint64_t>(lane) >> kLaneBits);
}

std::int64_t last_lane_of_tenant(std::int64_t lane) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(lane) | kOfLane);
}

}  // namespace postern
