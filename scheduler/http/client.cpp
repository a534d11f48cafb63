#include "scheduler/http/client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "core/base/crash_point.h"
#include "scheduler/http/connections.h"
#include "scheduler/http/resolver.h"
#include "scheduler/http/transfer.h"

namespace postern::scheduler {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = HttpResult::Kind;
using TransferPtr = std::unique_ptr<Transfer>;

constexpr std::size_t kSpareTransfers = 1024;

std::size_t worth_keeping() {
  constexpr rlim_t kMost = 4096;
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  return std::min(descriptors.rlim_cur / 4, kMost);
}

bool is_address(const Url& url) {
  in_addr ignored;
  return url.is_ipv6_literal || inet_pton(AF_INET, url.host.c_str(), &ignored) == 1;
}

// The timeout of poll(), rounded up: rounded down, poll() would return at once again and again
// during the last millisecond.
int milliseconds_until(Clock::time_point then) {
  const auto left = std::chrono::ceil<Milliseconds>(then - Clock::now()).count();
  return static_cast<int>(std::clamp<Milliseconds::rep>(left, 0, std::numeric_limits<int>::max()));
}

short poll_events(const WaitFd& fd) {
  return static_cast<short>((fd.read ? POLLIN : 0) | (fd.write ? POLLOUT : 0));
}

}  // namespace

struct HttpClient::Impl {
  Options options;
  const AddressPolicy& policy;
  Resolver resolver;
  Connections connections;

  // Transfers that wait for name resolution, by deadline.
  using Ticket = std::pair<Clock::time_point, std::uint64_t>;
  std::map<Ticket, TransferPtr> unresolved;
  std::unordered_map<std::string, std::set<Ticket>> by_name;
  std::uint64_t last_ticket = 0;

  std::vector<TransferPtr> running;
  std::vector<TransferPtr> spare;
  std::vector<Finished> finished;
  std::vector<std::uint64_t> sent;
  std::int64_t denied = 0;
  std::vector<pollfd> poll_fds;

  Impl(Options given, const AddressPolicy& judge)
      : options(std::move(given)),
        policy(judge),
        resolver({.servers = options.dns_servers}),
        connections(options.kept_connections != 0 ? options.kept_connections : worth_keeping()) {}
  ~Impl() {
    for (const TransferPtr& transfer : running) connections.remove(*transfer);
  }

  void start(std::uint64_t id, OutgoingRequest request) {
    TransferPtr transfer;
    if (spare.empty()) {
      transfer = std::make_unique<Transfer>(options, policy, connections.sockets(), sent);
    } else {
      transfer = std::move(spare.back());
      spare.pop_back();
    }
    transfer->begin(id, std::move(request));

    const Url& url = transfer->request().url;
    if (!policy.allows_port(url.port)) {
      return fail(std::move(transfer), Kind::egress_denied, kPortDenied);
    }
    if (is_address(url)) return run(std::move(transfer), nullptr);
    if (const Addresses* known = resolver.recall(url.host)) {
      return run_or_fail(std::move(transfer), *known);
    }
    const Ticket ticket{transfer->deadline(), ++last_ticket};
    by_name[url.host].insert(ticket);
    resolver.look_up(url.host, transfer->deadline());
    unresolved.emplace(ticket, std::move(transfer));
  }

  void run(TransferPtr transfer, const Addresses* addresses) {
    transfer->prepare(addresses);
    transfer->place = running.size();
    running.push_back(std::move(transfer));
    connections.start(*running.back());
  }

  // Denied addresses are removed here, because libcurl would take seconds to find that none is
  // usable. Each address is checked again when its connection is opened (Transfer::open_socket).
  void run_or_fail(TransferPtr transfer, const Addresses& found) {
    if (found.empty()) {
      return fail(std::move(transfer), Kind::name_not_resolved, "name could not be resolved");
    }
    const int port = transfer->request().url.port;
    Addresses allowed;
    std::copy_if(found.begin(), found.end(), std::back_inserter(allowed),
                 [&](const std::string& address) { return policy.allows(address, port); });
    if (allowed.empty()) return fail(std::move(transfer), Kind::egress_denied, kEgressDenied);
    run(std::move(transfer), &allowed);
  }

  // Ends a transfer that was not given to libcurl yet.
  void fail(TransferPtr transfer, Kind kind, const char* error) {
    HttpResult result = transfer->end(kind, error);
    finish(std::move(transfer), std::move(result));
  }

  void finish(TransferPtr transfer, HttpResult result) {
    denied += result.kind == Kind::egress_denied;
    finished.push_back({transfer->id(), std::move(result)});
    if (spare.size() < kSpareTransfers) spare.push_back(std::move(transfer));
  }

  void wait(std::span<WaitFd> fds, Milliseconds timeout) {
    auto until = Clock::now() + (finished.empty() ? timeout : Milliseconds(0));
    if (const auto timer = connections.next_timer()) until = std::min(until, *timer);
    if (const auto timer = resolver.next_timer()) until = std::min(until, *timer);
    if (!unresolved.empty()) until = std::min(until, unresolved.begin()->first.first);

    poll_fds = {{connections.sockets().fd(), POLLIN, 0}, {resolver.fd(), POLLIN, 0}};
    for (const WaitFd& fd : fds) poll_fds.push_back({fd.fd, poll_events(fd), 0});
    if (poll(poll_fds.data(), poll_fds.size(), milliseconds_until(until)) < 0 && errno != EINTR) {
      throw std::runtime_error("poll failed");
    }
    for (std::size_t i = 0; i < fds.size(); ++i) fds[i].ready = poll_fds[i + 2].revents != 0;

    resolve(poll_fds[1].revents != 0);
    give_up_unresolved();
    connections.advance(poll_fds[0].revents != 0,
                        [this](Transfer& transfer, CURLcode code) { end(transfer, code); });
    if (kCrashPoints && std::any_of(running.begin(), running.end(),
                                    [](const auto& each) { return each->sent(); })) {
      crash_point("webhook", "sent");
    }
  }

  void resolve(bool ready) {
    const auto timer = resolver.next_timer();
    if (ready || (timer && *timer <= Clock::now())) resolver.process();
    for (const Resolver::Answer& answer : resolver.take_answers()) {
      const auto waiting = by_name.extract(answer.name);
      if (waiting.empty()) continue;
      for (const Ticket& ticket : waiting.mapped()) {
        auto node = unresolved.extract(ticket);
        run_or_fail(std::move(node.mapped()), answer.addresses);
      }
    }
  }

  void give_up_unresolved() {
    const auto now = Clock::now();
    while (!unresolved.empty() && unresolved.begin()->first.first <= now) {
      auto node = unresolved.extract(unresolved.begin());
      TransferPtr transfer = std::move(node.mapped());
      const auto waiting = by_name.find(transfer->request().url.host);
      waiting->second.erase(node.key());
      if (waiting->second.empty()) by_name.erase(waiting);
      fail(std::move(transfer), Kind::timed_out, "timed out while the name was looked up");
    }
  }

  void end(Transfer& ended, CURLcode code) {
    HttpResult result = ended.end(code);
    const std::size_t place = ended.place;
    std::swap(running[place], running.back());
    running[place]->place = place;
    TransferPtr transfer = std::move(running.back());
    running.pop_back();
    finish(std::move(transfer), std::move(result));
  }
};

HttpClient::HttpClient(Options options, const AddressPolicy& policy)
    : impl_(std::make_unique<Impl>(std::move(options), policy)) {}
HttpClient::~HttpClient() = default;

void HttpClient::start(std::uint64_t id, OutgoingRequest request) {
  impl_->start(id, std::move(request));
}

void HttpClient::wait(std::span<WaitFd> fds, std::chrono::milliseconds timeout) {
  impl_->wait(fds, timeout);
}

std::vector<HttpClient::Finished> HttpClient::take_finished() {
  return std::exchange(impl_->finished, {});
}

std::vector<std::uint64_t> HttpClient::take_sent() { return std::exchange(impl_->sent, {}); }

std::size_t HttpClient::active() const { return impl_->running.size() + impl_->unresolved.size(); }
std::int64_t HttpClient::egress_denied() const { return impl_->denied; }

CurlGlobal::CurlGlobal() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    throw std::runtime_error("libcurl cannot be set up");
  }
  // Otherwise a write to a TLS connection that the peer has closed would kill the process.
  std::signal(SIGPIPE, SIG_IGN);
}
CurlGlobal::~CurlGlobal() { curl_global_cleanup(); }

}  // namespace postern::scheduler
