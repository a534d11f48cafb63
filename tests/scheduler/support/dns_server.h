// A name server on loopback, over UDP and TCP, whose answers a test decides.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace postern::scheduler::test {

struct DnsReply {
  enum class Kind { answer, no_such_name, server_failure, silence };
  Kind kind = Kind::answer;
  std::string alias{};  // the name that a CNAME points to; empty: none
  std::vector<std::string>
      addresses{};  // those of the other family than was asked for are left out
};

class DnsServer {
 public:
  using Zone = std::function<DnsReply(const std::string& name)>;
  // `port` 0: any free one.
  explicit DnsServer(Zone zone, const std::string& address = "127.0.0.1", int port = 0);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  int port() const { return port_; }
  std::string endpoint() const;                // "127.0.0.1:12345"
  int queries(const std::string& name) const;  // of either family, over UDP

 private:
  void serve();
  void serve_udp();
  bool serve_tcp(int fd);  // one question; false: the connection is over
  // Empty: silence. Cut to an empty, truncated answer when it is longer than `limit`.
  std::string reply(std::string_view query, std::size_t limit);

  Zone zone_;
  std::string address_;
  int port_ = 0;
  int udp_ = -1, tcp_ = -1;
  int stop_[2] = {-1, -1};
  mutable std::mutex mutex_;
  std::map<std::string, int> queries_;
  std::thread thread_;
};

}  // namespace postern::scheduler::test
