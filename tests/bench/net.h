// Common parts of the load generator and the receiver: loopback addresses, and the length of an
// HTTP/1.1 message. It handles only the HTTP that these two, nginx and libcurl send.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace bench {

// The address 127.0.0.`host`:`port`.
inline sockaddr_in loopback(std::uint8_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(0x7f000000u + host);
  return address;
}

// Returns the result of a system call; throws std::system_error with the name of `call` if it
// failed.
inline int check(int result, const char* call) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), call);
  return result;
}

// The length of the message at the start of `bytes`, body included; nullopt while it is incomplete.
// REQUIRES: nothing follows a chunked message in `bytes`, hence no pipelining.
inline std::optional<std::size_t> message_length(std::string_view bytes) {
  const auto head = bytes.find("\r\n\r\n");
  if (head == std::string_view::npos) return std::nullopt;
  std::size_t body = 0;
  for (std::size_t line = bytes.find("\r\n"); line < head; line = bytes.find("\r\n", line + 2)) {
    const std::string_view rest = bytes.substr(line + 2);
    constexpr std::string_view kLength = "content-length: ";
    constexpr std::string_view kChunked = "transfer-encoding: chunked";
    if (strncasecmp(rest.data(), kLength.data(), kLength.size()) == 0) {
      std::from_chars(rest.data() + kLength.size(), rest.data() + rest.size(), body);
      break;
    }
    if (strncasecmp(rest.data(), kChunked.data(), kChunked.size()) == 0) {
      if (!bytes.ends_with("\r\n0\r\n\r\n")) return std::nullopt;
      return bytes.size();
    }
  }
  const std::size_t length = head + 4 + body;
  return bytes.size() < length ? std::nullopt : std::optional(length);
}

}  // namespace bench
