// Common parts of the load generator and the receiver: loopback addresses, and the length of an
// HTTP/1.1 message. It handles only the HTTP that these two, nginx and libcurl send.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace bench {

// The most hosts that the tools can stand for.
constexpr std::uint32_t kMaxHosts = 10'000;

// The address of host number `host`: 127.0.0.1, 127.0.0.2 ... 127.0.1.0 ... All of 127.0.0.0/8 is
// loopback.
inline sockaddr_in loopback(std::uint32_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(0x7f000000u + host);
  return address;
}

// The same address as text, without the port.
inline std::string loopback_name(std::uint32_t host) {
  return "127." + std::to_string(host >> 16) + "." + std::to_string(host >> 8 & 255) + "." +
         std::to_string(host & 255);
}

// A task's number, and when it was acknowledged or when its webhook arrived, in nanoseconds of
// CLOCK_MONOTONIC, which all processes of a machine share. Files of these are read by arrivals.py.
struct Stamp {
  std::int64_t number;
  std::int64_t at;
};

inline std::int64_t monotonic_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

inline void write_stamps(const std::string& path, const std::vector<Stamp>& stamps) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(stamps.data()),
             static_cast<std::streamsize>(stamps.size() * sizeof(Stamp)));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
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
