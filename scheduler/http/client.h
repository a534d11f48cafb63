// Many HTTP transfers at once in one thread, over libcurl's multi interface. Only http_client.cpp
// includes curl. Knows nothing of tasks: requests in, results out. A request goes out once at most:
// what libcurl would send again by itself becomes `broken`.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/headers.h"
#include "core/base/url.h"
#include "core/time/time.h"
#include "scheduler/http/address_policy.h"

namespace postern::scheduler {

struct HttpRequest {
  std::string method;  // GET, POST, PUT, PATCH, DELETE
  Url url;
  Headers headers;  // checked ones; Host, Content-Length and the like are libcurl's
  std::string body;
  Milliseconds timeout{30'000};  // of the whole transfer, name resolution included
  bool fresh_connection =
      false;  // do not reuse a kept one: nothing may go wrong that a retry would mend
};

struct HttpResult {
  enum class Kind {
    answered,  // with `status`, headers and body
    timed_out,
    name_not_resolved,
    egress_denied,  // the address that would be connected to is not allowed
    not_connected,  // refused, unreachable, TLS handshake failed, ...
    broken,         // connected, but no complete answer: reset, closed, not HTTP
  };
  Kind kind = Kind::broken;
  int status = 0;  // 0 unless `answered`
  // Of the final answer, names in lower case: the first 100 and 16 KiB, and Options::read_headers.
  Headers headers;
  std::string
      body;  // first 16 KiB; more is read up to 1 MiB and dropped, then the transfer ends as it is
  std::string error;  // for people, when not `answered`; names no address
  Milliseconds duration{0};
};

struct WaitFd {
  int fd;
  bool read, write;
  bool ready = false;  // set by wait()
};

// Confined to one thread.
class HttpClient {
 public:
  struct Options {
    std::string user_agent;
    std::string ca_file;                 // empty: the system's bundle
    std::size_t kept_connections = 256;  // idle ones, besides those in use
    std::string
        dns_servers;  // "127.0.0.1:5353,..." instead of those of /etc/resolv.conf; for tests
    // In lower case: the first of each is kept wherever it stands, if need be cut to 1 KiB.
    std::vector<std::string> read_headers;
  };
  // `policy` must outlive the client. REQUIRES: one CurlGlobal lives. Throws std::runtime_error
  // when libcurl, c-ares or epoll cannot be set up.
  HttpClient(Options options, const AddressPolicy& policy);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Starts a transfer; its result comes from take_finished under `id`, never from within this call.
  void start(std::uint64_t id, HttpRequest request);

  // Waits until a transfer can go on, one of `fds` is ready, or `timeout` is over; moves transfers
  // on.
  void wait(std::span<WaitFd> fds, std::chrono::milliseconds timeout);

  struct Finished {
    std::uint64_t id;
    HttpResult result;
  };
  std::vector<Finished> take_finished();

  // Transfers under way.
  std::size_t active() const;
  // Attempts refused by the address policy since the start.
  std::int64_t egress_denied() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// curl_global_init and its counterpart; one, in main. Has SIGPIPE ignored, which libcurl leaves to
// us.
class CurlGlobal {
 public:
  CurlGlobal();
  ~CurlGlobal();
  CurlGlobal(const CurlGlobal&) = delete;
  CurlGlobal& operator=(const CurlGlobal&) = delete;
};

}  // namespace postern::scheduler
