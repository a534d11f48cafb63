// A FastCGI client that speaks raw records, so that tests can say what no web server would.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "fcgi/server/listener.h"

namespace postern::test {

enum class Record : unsigned char {
  begin = 1,
  abort = 2,
  end = 3,
  params = 4,
  input = 5,
  output = 6,
  get_values = 9,
};

inline std::string record(Record type, std::string_view content, int id = 1) {
  const auto byte = [](std::size_t value) { return static_cast<char>(value & 0xff); };
  std::string out{1,
                  static_cast<char>(type),
                  byte(static_cast<std::size_t>(id) >> 8),
                  byte(static_cast<std::size_t>(id)),
                  byte(content.size() >> 8),
                  byte(content.size()),
                  0,
                  0};
  return out.append(content);
}

inline std::string begin_record(bool keep) {
  return record(Record::begin, std::string_view(keep ? "\0\1\1\0\0\0\0\0" : "\0\1\0\0\0\0\0\0", 8));
}

inline std::string params_record(const std::map<std::string, std::string>& params) {
  std::string content;
  const auto length = [&](std::size_t size) {
    if (size < 128) {
      content += static_cast<char>(size);
    } else {
      const std::uint32_t wide = htonl(static_cast<std::uint32_t>(size) | 0x80000000U);
      content.append(reinterpret_cast<const char*>(&wide), sizeof(wide));
    }
  };
  for (const auto& [name, value] : params) {
    length(name.size());
    length(value.size());
    content += name + value;
  }
  return record(Record::params, content) + record(Record::params, "");
}

inline std::string input_records(std::string_view body) {
  constexpr std::size_t kMost = 65'000;
  std::string out;
  for (std::size_t at = 0; at < body.size(); at += kMost)
    out += record(Record::input, body.substr(at, kMost));
  return out + record(Record::input, "");
}

// A whole request.
inline std::string request_text(std::string_view body, bool keep = true,
                                std::map<std::string, std::string> params = {}) {
  params.emplace("REQUEST_METHOD", "POST");
  params.emplace("DOCUMENT_URI", "/");
  params.emplace("CONTENT_LENGTH", body.empty() ? "" : std::to_string(body.size()));
  return begin_record(keep) + params_record(params) + input_records(body);
}

class FcgiClient {
 public:
  explicit FcgiClient(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected_ =
        connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }
  void close() { fd_.reset(); }
  void shut_writing() { shutdown(fd_.get(), SHUT_WR); }

  // False: the other side has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // The output of one request, up to its end record; nullopt when the connection ends or nothing
  // comes for 10 s.
  std::optional<std::string> read_answer() {
    std::string output;
    for (;;) {
      const auto head = take(8);
      if (!head) return std::nullopt;
      const auto byte = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>((*head)[i]));
      };
      const auto content = take((byte(4) << 8 | byte(5)) + byte(6));
      if (!content) return std::nullopt;
      const auto type = static_cast<Record>((*head)[1]);
      if (type == Record::end) return output;
      if (type == Record::output) output.append(*content, 0, byte(4) << 8 | byte(5));
    }
  }

  std::optional<std::string> ask(std::string_view body, bool keep = true,
                                 std::map<std::string, std::string> params = {}) {
    if (!send(request_text(body, keep, std::move(params)))) return std::nullopt;
    return read_answer();
  }

  // Whether the other side closes within the time.
  bool closes(int timeout_ms = 10'000) {
    char byte = 0;
    return is_readable(timeout_ms) && recv(fd_.get(), &byte, 1, 0) <= 0;
  }

 private:
  // Whether bytes or the end come within the time. A signal does not end the wait: libFuzzer's
  // clock sends one every few seconds.
  bool is_readable(int timeout_ms) {
    using std::chrono::steady_clock;
    const auto give_up = steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(give_up - steady_clock::now()).count();
      pollfd wait{fd_.get(), POLLIN, 0};
      const int ready = poll(&wait, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
      if (ready >= 0 || errno != EINTR) return ready == 1;
    }
  }

  std::optional<std::string> take(std::size_t size) {
    while (buffer_.size() < size) {
      if (!is_readable(10'000)) return std::nullopt;
      char bytes[65536];
      const auto got = recv(fd_.get(), bytes, sizeof(bytes), 0);
      if (got <= 0) return std::nullopt;
      buffer_.append(bytes, static_cast<std::size_t>(got));
    }
    std::string out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return out;
  }

  Fd fd_;
  bool connected_ = false;
  std::string buffer_;
};

}  // namespace postern::test
