#include "scheduler/http/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace postern::scheduler {
namespace {

// Some names have hundreds of addresses; one request never gets to try more than these.
constexpr std::size_t kMaxPerFamily = 8;
constexpr auto kLookAtResolvConf = std::chrono::seconds(1);

// Identifies a version of a file: changes when it is written or replaced.
struct FileStamp {
  ino_t inode = 0;
  timespec changed{};

  static FileStamp of(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return {};
    return {status.st_ino, status.st_mtim};
  }
  bool operator==(const FileStamp& other) const {
    return inode == other.inode && changed.tv_sec == other.changed.tv_sec &&
           changed.tv_nsec == other.changed.tv_nsec;
  }
};

// The addresses as text, IPv4 first: libcurl tries them in this order, and machines without working
// IPv6 are more common than machines without working IPv4.
Addresses numeric(const ares_addrinfo* found) {
  Addresses ipv4, ipv6;
  for (const ares_addrinfo_node* node = found->nodes; node; node = node->ai_next) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (node->ai_family == AF_INET && ipv4.size() < kMaxPerFamily) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(node->ai_addr);
      inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size());
      ipv4.emplace_back(text.data());
    } else if (node->ai_family == AF_INET6 && ipv6.size() < kMaxPerFamily) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(node->ai_addr);
      inet_ntop(AF_INET6, &address->sin6_addr, text.data(), text.size());
      ipv6.emplace_back(text.data());
    }
  }
  ipv4.insert(ipv4.end(), ipv6.begin(), ipv6.end());
  return ipv4;
}

// A cache of answers, each with its expiry, at most `limit` of them.
class Kept {
 public:
  explicit Kept(std::size_t limit) : limit_(limit) {}

  const Addresses* find(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end() || found->second.until <= Resolver::Clock::now()) return nullptr;
    return &found->second.addresses;
  }

  void add(const std::string& name, Addresses addresses, Resolver::Clock::time_point until) {
    entries_[name] = {std::move(addresses), until};
    order_.emplace_back(name, until);
    while (order_.size() > limit_ || order_.front().second <= Resolver::Clock::now()) {
      const auto oldest = entries_.find(order_.front().first);
      // The entry may be newer than the place in `order_`.
      if (oldest != entries_.end() && oldest->second.until == order_.front().second) {
        entries_.erase(oldest);
      }
      order_.pop_front();
      if (order_.empty()) return;
    }
  }

 private:
  struct Entry {
    Addresses addresses;
    Resolver::Clock::time_point until;
  };
  std::size_t limit_;
  std::unordered_map<std::string, Entry> entries_;
  std::deque<std::pair<std::string, Resolver::Clock::time_point>> order_;
};

}  // namespace

struct Resolver::Impl {
  // One name that is queued in `line` or has been sent.
  struct Lookup {
    Impl* resolver;
    std::string name;
    Clock::time_point until;
  };

  Options options;
  int epoll_fd = -1;
  ares_channel channel = nullptr;
  std::unordered_map<std::string, Lookup> under_way;
  std::deque<std::string> line;
  std::size_t sent = 0;
  Kept kept;
  std::vector<Answer> answers;
  FileStamp resolv_conf;
  Clock::time_point resolv_conf_seen{};

  explicit Impl(Options given) : options(std::move(given)), kept(options.max_kept) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) throw std::runtime_error("epoll_create1 failed");
    resolv_conf = FileStamp::of(options.resolv_conf);
    channel = open_channel();
    if (!channel) {
      close(epoll_fd);
      throw std::runtime_error("c-ares cannot be set up");
    }
  }
  ~Impl() {
    ares_destroy(channel);
    close(epoll_fd);
  }

  // nullptr when c-ares reports an error.
  ares_channel open_channel() {
    ares_options settings{};
    settings.timeout = static_cast<int>(options.first_try.count());
    settings.tries = options.tries;
    // "f": /etc/hosts, then "b": DNS. nsswitch.conf is not used, since c-ares lacks its modules.
    char lookups[] = "fb";
    settings.lookups = lookups;
    settings.resolvconf_path = options.resolv_conf.data();
    settings.udp_port = settings.tcp_port = options.port;
    settings.sock_state_cb = on_socket;
    settings.sock_state_cb_data = this;
    ares_channel opened = nullptr;
    const int given = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF |
                      ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT | ARES_OPT_SOCK_STATE_CB;
    if (ares_init_options(&opened, &settings, given) != ARES_SUCCESS) return nullptr;
    if (!options.servers.empty() &&
        ares_set_servers_ports_csv(opened, options.servers.c_str()) != ARES_SUCCESS) {
      ares_destroy(opened);
      return nullptr;
    }
    return opened;
  }

  static void on_socket(void* self, ares_socket_t fd, int readable, int writable) noexcept {
    const int epoll_fd = static_cast<Impl*>(self)->epoll_fd;
    epoll_event event{};
    event.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
    event.data.fd = fd;
    if (event.events == 0) {
      epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, nullptr);
    } else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 && errno == EEXIST) {
      epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
    }
  }

  static void on_answer(void* argument, int status, int, ares_addrinfo* found) noexcept {
    auto* lookup = static_cast<Lookup*>(argument);
    Impl& resolver = *lookup->resolver;
    --resolver.sent;
    if (status == ARES_EDESTRUCTION) {  // the channel is being replaced: repeat on the new one
      resolver.line.push_front(lookup->name);
      return;
    }
    Addresses addresses;
    if (found) {
      addresses = numeric(found);
      ares_freeaddrinfo(found);
    }
    const auto good_for = addresses.empty() ? resolver.options.kept_failure : resolver.options.kept;
    resolver.kept.add(lookup->name, addresses, Clock::now() + good_for);
    resolver.answers.push_back({lookup->name, std::move(addresses)});
    resolver.under_way.erase(resolver.answers.back().name);
  }

  // Opens a new channel when resolv.conf changed, because c-ares reads it only once. Name servers
  // change while a machine runs, and at boot the file may be written after this program's start.
  void follow_resolv_conf() {
    const auto now = Clock::now();
    if (now < resolv_conf_seen + kLookAtResolvConf) return;
    resolv_conf_seen = now;
    const FileStamp stamp = FileStamp::of(options.resolv_conf);
    if (stamp == resolv_conf) return;
    ares_channel fresh = open_channel();
    if (!fresh) return;
    resolv_conf = stamp;
    ares_destroy(std::exchange(channel, fresh));
  }

  void send_from_line() {
    if (line.empty()) return;
    follow_resolv_conf();
    while (!line.empty() && sent < options.max_lookups) {
      const std::string name = std::move(line.front());
      line.pop_front();
      Lookup& lookup = under_way.at(name);
      if (lookup.until <= Clock::now()) {  // every transfer that wanted it has timed out
        under_way.erase(name);
        continue;
      }
      ++sent;
      ares_addrinfo_hints hints{};
      hints.ai_family = AF_UNSPEC;
      hints.ai_socktype = SOCK_STREAM;
      // c-ares sorts by opening a socket to every address, which is too expensive.
      hints.ai_flags = ARES_AI_NOSORT;
      ares_getaddrinfo(channel, name.c_str(), nullptr, &hints, on_answer, &lookup);
    }
  }
};

Resolver::Resolver(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Resolver::~Resolver() = default;

const Addresses* Resolver::recall(const std::string& name) const { return impl_->kept.find(name); }

void Resolver::look_up(const std::string& name, Clock::time_point until) {
  const auto [entry, is_new] = impl_->under_way.try_emplace(name);
  Impl::Lookup& lookup = entry->second;
  lookup.until = std::max(lookup.until, until);
  if (!is_new) return;
  lookup.resolver = impl_.get();
  lookup.name = name;
  impl_->line.push_back(name);
  impl_->send_from_line();
}

std::vector<Resolver::Answer> Resolver::take_answers() { return std::exchange(impl_->answers, {}); }

int Resolver::fd() const { return impl_->epoll_fd; }

std::optional<Resolver::Clock::time_point> Resolver::next_timer() const {
  if (!impl_->answers.empty()) return Clock::now();
  if (impl_->sent == 0) return std::nullopt;
  timeval longest{};
  const timeval* left = ares_timeout(impl_->channel, nullptr, &longest);
  if (!left) return std::nullopt;
  return Clock::now() + std::chrono::seconds(left->tv_sec) +
         std::chrono::microseconds(left->tv_usec);
}

void Resolver::process() {
  std::array<epoll_event, 64> events{};
  const int count = epoll_wait(impl_->epoll_fd, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    // An error or a hang-up counts as readable, so that c-ares reads and finds it.
    const bool readable = (event.events & ~static_cast<unsigned>(EPOLLOUT)) != 0;
    const bool writable = (event.events & EPOLLOUT) != 0;
    ares_process_fd(impl_->channel, readable ? event.data.fd : ARES_SOCKET_BAD,
                    writable ? event.data.fd : ARES_SOCKET_BAD);
  }
  if (count <= 0) ares_process_fd(impl_->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  impl_->send_from_line();
}

std::size_t Resolver::lookups() const { return impl_->sent; }

}  // namespace postern::scheduler
