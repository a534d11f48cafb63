#include "scheduler/http/client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "scheduler/http/resolver.h"
#include "scheduler/http/transfer.h"

namespace postern::scheduler {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = HttpResult::Kind;
using TransferPtr = std::unique_ptr<Transfer>;

constexpr std::size_t kSpareTransfers = 1024;

struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {
    if (fd < 0) throw std::runtime_error("no file descriptor for HTTP");
  }
  ~FileDescriptor() { close(fd_); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

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

// The sockets of libcurl are in an epoll set, so that the cost of a wake-up depends on the ready
// sockets and not on all transfers (curl_multi_perform would poll every one).
struct HttpClient::Impl {
  Options options;
  const AddressPolicy& policy;
  Resolver resolver;
  FileDescriptor sockets{epoll_create1(EPOLL_CLOEXEC)};
  std::unique_ptr<CURLM, FreeMulti> multi{curl_multi_init()};
  std::optional<Clock::time_point> curl_timer;

  // Transfers that wait for name resolution, by deadline.
  using Ticket = std::pair<Clock::time_point, std::uint64_t>;
  std::map<Ticket, TransferPtr> unresolved;
  std::unordered_map<std::string, std::set<Ticket>> by_name;
  std::uint64_t last_ticket = 0;

  std::vector<TransferPtr> running;
  std::vector<TransferPtr> spare;
  std::vector<Finished> finished;
  std::int64_t denied = 0;
  std::vector<pollfd> poll_fds;

  Impl(Options given, const AddressPolicy& judge)
      : options(std::move(given)), policy(judge), resolver({.servers = options.dns_servers}) {
    if (!multi) throw std::runtime_error("libcurl cannot be set up");
    curl_multi_setopt(multi.get(), CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(multi.get(), CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi.get(), CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi.get(), CURLMOPT_TIMERDATA, this);
  }
  ~Impl() {
    for (const TransferPtr& transfer : running) {
      curl_multi_remove_handle(multi.get(), transfer->easy());
    }
  }

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void* known) noexcept {
    const auto& impl = *static_cast<Impl*>(self);
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(impl.sockets.get(), EPOLL_CTL_DEL, fd, nullptr);
      return 0;
    }
    epoll_event event{};
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    event.data.fd = fd;
    epoll_ctl(impl.sockets.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (!known) curl_multi_assign(impl.multi.get(), fd, self);
    return 0;
  }

  static int on_timer(CURLM*, long milliseconds, void* self) noexcept {
    auto& timer = static_cast<Impl*>(self)->curl_timer;
    timer.reset();
    if (milliseconds >= 0) timer = Clock::now() + Milliseconds(milliseconds);
    return 0;
  }

  void start(std::uint64_t id, OutgoingRequest request) {
    TransferPtr transfer;
    if (spare.empty()) {
      transfer = std::make_unique<Transfer>(options, policy);
    } else {
      transfer = std::move(spare.back());
      spare.pop_back();
    }
    transfer->begin(id, std::move(request));

    const Url& url = transfer->request().url;
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
    limit_kept_connections();
    if (curl_multi_add_handle(multi.get(), running.back()->easy()) != CURLM_OK) {
      throw std::runtime_error("libcurl refuses a transfer");
    }
  }

  // Denied addresses are removed here, because libcurl would take seconds to find that none is
  // usable. Each address is checked again when its connection is opened (Transfer::open_socket).
  void run_or_fail(TransferPtr transfer, const Addresses& found) {
    if (found.empty()) {
      return fail(std::move(transfer), Kind::name_not_resolved, "name could not be resolved");
    }
    Addresses allowed;
    std::copy_if(found.begin(), found.end(), std::back_inserter(allowed),
                 [&](const std::string& address) { return policy.allows(address); });
    if (allowed.empty()) return fail(std::move(transfer), Kind::egress_denied, kEgressDenied);
    run(std::move(transfer), &allowed);
  }

  // Ends a transfer that was not given to libcurl yet.
  void fail(TransferPtr transfer, Kind kind, const char* error) {
    HttpResult result = transfer->end(kind, error);
    finish(std::move(transfer), std::move(result));
  }

  // libcurl's limit includes the connections in use. It checks the limit at the end of a transfer,
  // when that transfer's own connection is already idle; hence `running` less one.
  void limit_kept_connections() {
    const std::size_t in_use = std::max<std::size_t>(running.size(), 1) - 1;
    const std::size_t limit = std::max<std::size_t>(options.kept_connections + in_use, 1);
    curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(limit));
  }

  void finish(TransferPtr transfer, HttpResult result) {
    denied += result.kind == Kind::egress_denied;
    finished.push_back({transfer->id(), std::move(result)});
    if (spare.size() < kSpareTransfers) spare.push_back(std::move(transfer));
  }

  void wait(std::span<WaitFd> fds, Milliseconds timeout) {
    auto until = Clock::now() + (finished.empty() ? timeout : Milliseconds(0));
    if (curl_timer) until = std::min(until, *curl_timer);
    if (const auto timer = resolver.next_timer()) until = std::min(until, *timer);
    if (!unresolved.empty()) until = std::min(until, unresolved.begin()->first.first);

    poll_fds = {{sockets.get(), POLLIN, 0}, {resolver.fd(), POLLIN, 0}};
    for (const WaitFd& fd : fds) poll_fds.push_back({fd.fd, poll_events(fd), 0});
    if (poll(poll_fds.data(), poll_fds.size(), milliseconds_until(until)) < 0 && errno != EINTR) {
      throw std::runtime_error("poll failed");
    }
    for (std::size_t i = 0; i < fds.size(); ++i) fds[i].ready = poll_fds[i + 2].revents != 0;

    resolve(poll_fds[1].revents != 0);
    give_up_unresolved();
    transfer_ready(poll_fds[0].revents != 0);
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

  void transfer_ready(bool ready) {
    int still_running = 0;
    if (ready) {
      std::array<epoll_event, 256> events;
      const int count = epoll_wait(sockets.get(), events.data(), events.size(), 0);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const int what = (event.events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                         (event.events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                         (event.events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(multi.get(), event.data.fd, what, &still_running);
        take_ended();
      }
    }
    if (curl_timer && *curl_timer <= Clock::now()) {
      curl_timer.reset();
      curl_multi_socket_action(multi.get(), CURL_SOCKET_TIMEOUT, 0, &still_running);
      take_ended();
    }
  }

  void take_ended() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;  // removing the handle frees the message
      Transfer* ended = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ended);
      curl_multi_remove_handle(multi.get(), ended->easy());
      HttpResult result = ended->end(code);

      std::swap(running[ended->place], running.back());
      running[ended->place]->place = ended->place;
      TransferPtr transfer = std::move(running.back());
      running.pop_back();
      limit_kept_connections();
      finish(std::move(transfer), std::move(result));
    }
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
