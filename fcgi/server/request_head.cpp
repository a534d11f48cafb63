#include "fcgi/server/request_head.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
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

// Whether all names and values are as long as they say.
bool are_whole(std::string_view params) {
  const auto byte = [&](std::size_t at) -> std::uint32_t {
    return static_cast<unsigned char>(params[at]);
  };
  for (std::size_t at = 0; at < params.size();) {
    std::uint64_t length = 0;  // of a name and its value
    for (int part = 0; part < 2; ++part) {
      if (at == params.size()) return false;
      if (byte(at) < 0x80) {
        length += byte(at++);
      } else {
        if (params.size() - at < 4) return false;
        length += (byte(at) & 0x7f) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
        at += 4;
      }
    }
    if (length > params.size() - at) return false;
    at += static_cast<std::size_t>(length);
  }
  return true;
}

bool has_hung_up(int socket) {
  pollfd fd{socket, POLLRDHUP, 0};
  return poll(&fd, 1, 0) > 0;
}

// Looks at what has come; `size` is how many bytes of it there is room for.
Head peek(int socket, char* to, std::size_t room, std::size_t& size) {
  const ssize_t got = recv(socket, to, room, MSG_PEEK);
  if (got <= 0) return Head::unfit;
  size = static_cast<std::size_t>(got);
  return look_at_head({to, size});
}

// For a head that is long or comes in pieces. `before`: how much of it has come.
bool wait_for_head(int socket, std::size_t before) {
  const BlockingSection away;
  std::string bytes(kUsualHead, '\0');
  for (const auto give_up = std::chrono::steady_clock::now() + kPatience;;) {
    std::size_t size = 0;
    const Head head = peek(socket, bytes.data(), bytes.size(), size);
    if (head != Head::incomplete) return head == Head::fit;
    if (size == kMaxHead || std::chrono::steady_clock::now() > give_up) return false;
    if (size == bytes.size()) {
      bytes.resize(kMaxHead);
      continue;
    }
    // Whoever has said that no more comes has said all.
    if (size == before && has_hung_up(socket)) return false;
    before = size;
    usleep(kLookAgain);
  }
}

}  // namespace

Head look_at_head(std::string_view bytes) {
  std::string_view params;  // of one record, which is all that nginx sends but for long ones
  std::string joined;       // of several
  unsigned id = 0;
  for (bool first = true;; first = false) {
    if (bytes.size() < kHeaderLength) return Head::incomplete;
    const RecordHead record = record_head(bytes);
    if (record.version != kVersion || record.id == 0) return Head::unfit;
    if (first) {
      // libfcgi would take padding of this one, which nginx sends none of, for the next record.
      if (record.type != kBegin || record.content != kBeginLength || record.padding > 0) {
        return Head::unfit;
      }
      id = record.id;
    } else if (record.id != id || record.type != kParams) {
      return Head::unfit;
    } else if (record.content == 0) {
      return are_whole(params) ? Head::fit : Head::unfit;
    }
    bytes.remove_prefix(kHeaderLength);
    if (record.type == kParams) {
      if (params.size() + record.content > kMaxParams) return Head::unfit;
      const std::string_view more = bytes.substr(0, record.content);
      if (params.empty()) {
        params = more;
      } else {
        if (joined.empty()) joined = params;
        joined.append(more);
        params = joined;
      }
    }
    if (bytes.size() < record.content + record.padding) return Head::incomplete;
    bytes.remove_prefix(record.content + record.padding);
  }
}

bool has_fit_head(int socket) {
  // Nearly always all of it is there, and this is the only look. Not zeroed, which took as long as
  // the rest.
  std::array<char, kUsualHead> bytes;
  std::size_t size = 0;
  const Head head = peek(socket, bytes.data(), bytes.size(), size);
  if (head != Head::incomplete) return head == Head::fit;
  return wait_for_head(socket, size);
}

}  // namespace postern
