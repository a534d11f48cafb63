#include "fcgi/server/request_head.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "fcgi/server/worker_gate.h"

namespace postern {
namespace {

// Numbers of the FastCGI specification, section 8.
constexpr std::size_t kHeaderLength = 8, kBeginLength = 8;
constexpr unsigned char kVersion = 1, kBegin = 1, kParams = 4;

// Heads are rarely longer.
constexpr std::size_t kUsualHead = 8 * 1024;
constexpr std::chrono::seconds kPatience{10};
constexpr useconds_t kLookAgain = 2'000;

struct RecordHead {
  unsigned char version, type;
  unsigned id;
  std::size_t content, padding;
};

// REQUIRES: there are so many bytes.
RecordHead record_head(std::string_view bytes) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  return {byte(0), byte(1), unsigned{byte(2)} << 8 | byte(3), std::size_t{byte(4)} << 8 | byte(5),
          byte(6)};
}

// Takes the length of a name or a value off the front; nullopt: it is not all there.
std::optional<std::uint32_t> take_length(std::string_view& params) {
  if (params.empty()) return std::nullopt;
  const auto first = static_cast<unsigned char>(params.front());
  const std::size_t size = first < 0x80 ? 1 : 4;
  if (params.size() < size) return std::nullopt;
  std::uint32_t length = first & 0x7f;
  for (std::size_t i = 1; i < size; ++i) {
    length = length << 8 | static_cast<unsigned char>(params[i]);
  }
  params.remove_prefix(size);
  return length;
}

// Whether all names and values are as long as they say.
bool are_whole(std::string_view params) {
  while (!params.empty()) {
    const auto name = take_length(params);
    const auto value = name ? take_length(params) : std::nullopt;
    if (!value) return false;
    const std::uint64_t size = std::uint64_t{*name} + *value;
    if (size > params.size()) return false;
    params.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

bool has_hung_up(int socket) {
  pollfd fd{socket, POLLRDHUP, 0};
  return poll(&fd, 1, 0) > 0;
}

}  // namespace

Head look_at_head(std::string_view bytes) {
  std::string params;
  unsigned id = 0;
  for (bool first = true;; first = false) {
    if (bytes.size() < kHeaderLength) return Head::incomplete;
    const RecordHead record = record_head(bytes);
    if (record.version != kVersion || record.id == 0) return Head::unfit;
    if (first) {
      if (record.type != kBegin || record.content != kBeginLength) return Head::unfit;
      id = record.id;
    } else if (record.id != id || record.type != kParams) {
      return Head::unfit;
    } else if (record.content == 0) {
      return are_whole(params) ? Head::fit : Head::unfit;
    }
    bytes.remove_prefix(kHeaderLength);
    if (record.type == kParams) {
      if (params.size() + record.content > kMaxParams) return Head::unfit;
      params.append(bytes.substr(0, record.content));
    }
    if (bytes.size() < record.content + record.padding) return Head::incomplete;
    bytes.remove_prefix(record.content + record.padding);
  }
}

bool has_fit_head(int socket) {
  std::string bytes(kUsualHead, '\0');
  std::optional<BlockingSection> away;
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (std::size_t before = 0;;) {
    const ssize_t got = recv(socket, bytes.data(), bytes.size(), MSG_PEEK);
    if (got <= 0) return false;
    const auto size = static_cast<std::size_t>(got);
    const Head head = look_at_head(std::string_view(bytes).substr(0, size));
    if (head != Head::incomplete) return head == Head::fit;
    if (size == kMaxHead || std::chrono::steady_clock::now() > give_up) return false;
    if (size == bytes.size()) {
      bytes.resize(kMaxHead);
      continue;
    }
    // Whoever has said that no more comes has said all.
    if (size == before && has_hung_up(socket)) return false;
    before = size;
    if (!away) away.emplace();
    usleep(kLookAgain);
  }
}

}  // namespace postern
