// An HTTP client for many concurrent transfers in one thread, over libcurl's multi interface. It
// knows nothing of tasks. A request is sent at most once: where libcurl would repeat it by itself,
// the result is `broken`. This header does not include curl.
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

struct OutgoingRequest {
  std::string method;  // GET, POST, PUT, PATCH, DELETE
  Url url;
  Headers headers;  // REQUIRES: pass check_headers; libcurl adds Host, Content-Length and the like
  std::string body;
  Milliseconds timeout{30'000};  // of the whole transfer, name resolution included
  // Opens a new connection instead of reusing an idle one, which the receiver may just have closed.
  bool fresh_connection = false;
};

struct HttpResult {
  enum class Kind {
    answered,  // `status`, `headers` and `body` are set
    timed_out,
    name_not_resolved,
    egress_denied,  // the address policy denies all addresses of the host, or the port
    not_connected,  // refused, unreachable, TLS handshake failed, ...
    broken,         // connected, but no complete answer: reset, closed, not HTTP
  };
  Kind kind = Kind::broken;
  int status = 0;  // 0 unless `answered`
  // The headers of the final answer, names in lower case: the first 100 within 16 KiB, and those of
  // Options::read_headers.
  Headers headers;
  // The first 16 KiB. More is read and dropped up to 1 MiB; there the transfer is cut, which is no
  // error.
  std::string body;
  std::string error;  // a text for people unless `answered`; it contains no IP address
  Milliseconds duration{0};
};

struct WaitFd {
  int fd;
  bool read, write;
  bool ready = false;  // set by wait()
};

// Who carries out transfers: HttpClient, or a test in its place. Confined to one thread.
class Transport {
 public:
  virtual ~Transport() = default;

  // Starts a transfer; its result comes from take_finished under `id`, never from within this call.
  virtual void start(std::uint64_t id, OutgoingRequest request) = 0;

  struct Finished {
    std::uint64_t id;
    HttpResult result;
  };
  virtual std::vector<Finished> take_finished() = 0;

  // Those that have let go of their body since the last call, because all of it was sent: only
  // bodies too large to be sent in one piece.
  virtual std::vector<std::uint64_t> take_sent() = 0;
};

// Confined to one thread.
class HttpClient final : public Transport {
 public:
  struct Options {
    std::string user_agent;
    std::string ca_file;  // empty: the system's bundle
    // The limit of idle connections. 0: as many as are worth it, up to 4,096 and a quarter of the
    // descriptors that the process may have.
    std::size_t kept_connections = 0;
    // How long a connection is kept that is never idle for long: else a receiver whose name leads
    // to several machines would be served by one of them for ever. libcurl counts whole seconds.
    std::chrono::seconds connection_life{60};
    // For tests: "127.0.0.1:5353,..." instead of the servers in /etc/resolv.conf.
    std::string dns_servers;
    // Names in lower case. The first header of each name is kept beyond the limits of
    // HttpResult::headers, cut to 1 KiB.
    std::vector<std::string> read_headers;
  };
  // `policy` must outlive the client. REQUIRES: a CurlGlobal exists. Throws std::runtime_error when
  // libcurl, c-ares or epoll cannot be set up.
  HttpClient(Options options, const AddressPolicy& policy);
  ~HttpClient() override;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void start(std::uint64_t id, OutgoingRequest request) override;

  // Blocks until a transfer can make progress, one of `fds` is ready, or `timeout` is over; then
  // advances the transfers.
  void wait(std::span<WaitFd> fds, std::chrono::milliseconds timeout);

  std::vector<Finished> take_finished() override;
  std::vector<std::uint64_t> take_sent() override;

  // Transfers under way.
  std::size_t active() const;
  // Transfers that ended as `egress_denied` since the start.
  std::int64_t egress_denied() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Calls curl_global_init, and curl_global_cleanup at the end; main makes the only one. Also ignores
// SIGPIPE, which libcurl leaves to its caller.
class CurlGlobal {
 public:
  CurlGlobal();
  ~CurlGlobal();
  CurlGlobal(const CurlGlobal&) = delete;
  CurlGlobal& operator=(const CurlGlobal&) = delete;
};

}  // namespace postern::scheduler
