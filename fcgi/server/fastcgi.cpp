// The only file that knows libfcgi.
#include "fcgi/server/fastcgi.h"

#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

#include "core/base/crash_point.h"
#include "core/program/log.h"
#include "fcgi/server/request_head.h"

namespace postern {
namespace {

using Steady = std::chrono::steady_clock;

// Sixty-four threads of the default 8 MiB would do no harm but for the look of it; nothing here
// recurses.
constexpr std::size_t kStack = 512 * 1024;

// nginx sends a request as a whole and reads the answer at once; whoever does not is cut off, so
// that nobody holds a thread.
constexpr timeval kPatience{10, 0};

// How many threads work at least, so that one which is caught by a slow client does not stop
// everything.
constexpr int kMinDuty = 2;

// nginx sends what is smaller, and takes it, in one go. For what is larger somebody may have to
// wait.
constexpr std::size_t kLarge = 32 * 1024;

// A body over the limit is read and thrown away up to here, so that the client sees a 413 and not a
// broken connection. nginx has the same limit and lets nothing over it through.
constexpr std::size_t kMaxDiscarded = 64 * 1024 * 1024;

void check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

// What an event is about. Not told by its descriptor: the listening socket's may be a connection's
// after it was closed.
enum Topic : std::uint32_t { kConnection, kListener, kQueue, kStop };

bool watch(int epoll, int op, int fd, std::uint32_t events, Topic topic) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{topic} << 32 | static_cast<std::uint32_t>(fd);
#ifdef __SANITIZE_THREAD__
  // The sanitizer does not know that whoever closes the descriptor was told by this call to have
  // it, and takes the two for a race; it does not look into bare system calls.
  if (op == EPOLL_CTL_MOD) return syscall(SYS_epoll_ctl, epoll, op, fd, &event) == 0;
#endif
  return epoll_ctl(epoll, op, fd, &event) == 0;
}

void signal_eventfd(int fd) { [[maybe_unused]] const int done = eventfd_write(fd, 1); }

}  // namespace

// One request, from its first byte to the end of its answer, and the connection for so long.
class FastCgiServer::Exchange {
 public:
  Exchange(FastCgiServer& server, int fd) : server_(server) {
    // Without a socket to accept from, libfcgi gives up when it cannot read the request, instead of
    // waiting for another connection. keepConnection: it finishes a previous request first, of
    // which there is none, and must not close this connection on that occasion. detached: when it
    // does close one, it must not wait for the other side to do the same (up to 2 s).
    FCGX_InitRequest(&request_, -1, FCGI_FAIL_ACCEPT_ON_INTR);
    request_.ipcFd = fd;
    request_.keepConnection = 1;
    request_.detached = 1;
  }
  ~Exchange() {
    if (open_) end();
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Reads the request. False: there is none, or not all of it.
  bool read(HttpRequest& out) {
    if (!has_fit_head(request_.ipcFd)) return false;
    // It takes an abort among the parameters for their end, and only notes the error.
    if (FCGX_Accept_r(&request_) != 0 || FCGX_GetError(request_.in) != 0) return false;
    keep_ = request_.keepConnection != 0;
    request_.keepConnection = 1;  // closing is ours
    for (char** param = request_.envp; *param != nullptr; ++param) {
      const std::string_view pair(*param);
      const auto equals = pair.find('=');
      if (equals != pair.npos) set_param(out, pair.substr(0, equals), pair.substr(equals + 1));
    }
    return read_body(out);
  }

  void answer(const HttpResponse& response) {
    if (!open_) return;
    crash_point("reply", "unsent");
    std::optional<BlockingSection> away;
    if (response.rest || response.body.size() > kLarge) away.emplace();
    const std::string head = response_head(response);
    FCGX_PutStr(head.data(), static_cast<int>(head.size()), request_.out);
    FCGX_PutStr(response.body.data(), static_cast<int>(response.body.size()), request_.out);
    if (response.rest && !write_rest(response)) return end();
    FCGX_Finish_r(&request_);
    crash_point("reply", "sent");
    if (!keep_ || request_.ipcFd < 0) return end();
    open_ = false;
    server_.keep_connection(std::exchange(request_.ipcFd, -1));
  }

 private:
  // False: the client has gone, or the body cannot be finished. The connection is then closed
  // without the end of the answer, from which nginx and the client see that something is missing.
  bool write_rest(const HttpResponse& response) {
    std::string piece;
    try {
      for (;;) {
        switch (response.rest(piece)) {
          case Piece::end: return true;
          case Piece::broken: return false;
          case Piece::text: break;
        }
        const int size = static_cast<int>(piece.size());
        if (FCGX_PutStr(piece.data(), size, request_.out) != size) return false;
        if (FCGX_FFlush(request_.out) != 0) return false;
      }
    } catch (const std::exception& fault) {
      log::error("answer broken off error=\"{}\"", log_safe(fault.what()));
      return false;
    }
  }

  void end() {
    open_ = false;
    FCGX_Free(&request_, request_.ipcFd >= 0 ? 1 : 0);
    server_.forget_connection();
  }

  // Reads what fits into memory. To the end of the stream even when the length is known: its end is
  // a record of its own, which would otherwise stand before the next request.
  bool read_body(HttpRequest& out) {
    constexpr std::size_t kFirstGuess = 8192;
    const auto& options = server_.options_;
    const std::size_t max_body = options.max_body_of ? options.max_body_of(out) : options.max_body;
    const char* given = FCGX_GetParam("CONTENT_LENGTH", request_.envp);
    const bool has_length = given != nullptr && *given != '\0';
    std::size_t length = 0;
    if (has_length) {
      const char* end = given + std::strlen(given);
      const auto [stop, error] = std::from_chars(given, end, length);
      if (error != std::errc() || stop != end) return false;
    }

    std::optional<BlockingSection> away;
    if (length > kLarge) away.emplace();
    out.body_too_large = length > max_body;
    if (out.body_too_large) return discard(0) == length;
    if (length > 0 && !make_room(out, length)) return discard(0) == length;
    std::size_t size = 0;
    out.body.resize(has_length ? length + 1 : kFirstGuess);  // one more, to see the end
    for (;;) {
      size += get(out.body.data() + size, out.body.size() - size);
      if (size < out.body.size()) break;
      if (has_length) return false;
      out.body_too_large = size > max_body;
      // It may become as large as any.
      if (out.body_too_large || (!room_ && !make_room(out, max_body))) {
        out.body = {};
        return discard(size) > 0;
      }
      out.body.resize(std::min(2 * size, max_body + 1));
    }
    out.body.resize(size);
    return FCGX_GetError(request_.in) == 0 && (!has_length || size == length);
  }

  bool make_room(HttpRequest& out, std::size_t bytes) {
    const std::string& tenant = out.key_tenant.empty() ? out.tenant : out.key_tenant;
    room_ = server_.bodies_.enter(tenant, bytes);
    out.no_room = room_ == nullptr;
    return !out.no_room;
  }

  // Reads the rest of the body. How large all of it is, after `size` bytes of it; 0, if the body
  // cannot be finished.
  std::size_t discard(std::size_t size) {
    std::array<char, 16 * 1024> scrap;
    std::size_t got = 0;
    do {
      got = get(scrap.data(), scrap.size());
      size += got;
    } while (got > 0 && size <= kMaxDiscarded);
    return FCGX_GetError(request_.in) == 0 && got == 0 ? size : 0;
  }

  std::size_t get(char* to, std::size_t size) {
    return static_cast<std::size_t>(
        std::max(0, FCGX_GetStr(to, static_cast<int>(size), request_.in)));
  }

  FastCgiServer& server_;
  FCGX_Request request_;
  BodyBudget::Pass room_;  // for the body and what is made of it
  bool keep_ = false;      // the client wants to
  bool open_ = true;       // the connection is still ours
};

Fd FastCgiServer::take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  check(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "pthread_sigmask");
  signal(SIGPIPE, SIG_IGN);
  Fd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  check(static_cast<bool>(fd), "signalfd");
  return fd;
}

FastCgiServer::FastCgiServer(Listener listener, Options options, RunQueue& queue, Serve serve)
    : options_(options),
      bodies_(options.max_bodies_in_flight),
      queue_(queue),
      crew_(std::min(options.threads,
                     std::max(kMinDuty, static_cast<int>(std::thread::hardware_concurrency())))),
      serve_(std::move(serve)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      control_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      listener_(std::move(listener)),
      last_use_(Steady::now().time_since_epoch().count()) {
  check(epoll_ && stop_ && control_, "epoll");
  check(FCGX_Init() == 0, "FCGX_Init");
  signal(SIGPIPE, SIG_IGN);  // libfcgi has set a handler of its own
  const int fd = listener_.fd.get();
  check(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0, "fcntl");
  check(watch(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), EPOLLIN, kStop), "epoll_ctl");
  check(watch(epoll_.get(), EPOLL_CTL_ADD, queue_.fd(), EPOLLIN | EPOLLET, kQueue), "epoll_ctl");
  check(watch(epoll_.get(), EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, kListener), "epoll_ctl");
}

FastCgiServer::~FastCgiServer() {
  crew_.dismiss();
  signal_eventfd(stop_.get());
  for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
}

bool FastCgiServer::run(Fd signals) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  for (int i = 0; i < options_.threads; ++i) {
    pthread_t thread;
    const int error = pthread_create(
        &thread, &attributes,
        [](void* self) -> void* {
          static_cast<FastCgiServer*>(self)->work();
          return nullptr;
        },
        this);
    if (error != 0) {
      errno = error;
      check(false, "pthread_create");
    }
    threads_.push_back(thread);
  }
  pthread_attr_destroy(&attributes);

  constexpr int kTick = 1'000;  // how often the idle time is looked at
  while (!drain_wanted_) {
    const Event event = wait_for_event(signals, options_.idle_exit.count() > 0 ? kTick : -1);
    if (event == Event::hangup) log::info("signal ignored name=SIGHUP");
    if (event == Event::drain || (options_.idle_exit.count() > 0 && idle_for(options_.idle_exit))) {
      drain_wanted_ = true;
    }
  }

  stop_accepting();
  log::info("draining connections={}", connections());
  const auto give_up = Steady::now() + options_.drain_timeout;
  while (connections_ > 0) {
    if (wait_for_event(signals, 100) == Event::drain || Steady::now() > give_up) return false;
  }
  return true;
}

void FastCgiServer::drain() {
  drain_wanted_ = true;
  signal_eventfd(control_.get());
}

FastCgiServer::Event FastCgiServer::wait_for_event(const Fd& signals, int timeout_ms) {
  std::array<pollfd, 2> fds{pollfd{control_.get(), POLLIN, 0}, pollfd{signals.get(), POLLIN, 0}};
  if (poll(fds.data(), fds.size(), timeout_ms) <= 0) return Event::nothing;
  if (fds[0].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(control_.get(), &count, sizeof(count));
  }
  signalfd_siginfo info{};
  if (fds[1].revents == 0 || ::read(signals.get(), &info, sizeof(info)) != sizeof(info)) {
    return Event::nothing;
  }
  return info.ssi_signo == SIGHUP ? Event::hangup : Event::drain;
}

bool FastCgiServer::idle_for(Seconds time) const {
  const Steady::time_point last{Steady::duration{last_use_}};
  return connections_ == 0 && Steady::now() - last >= time;
}

// What still waits in the queue of an inherited socket is for the process that has it next.
void FastCgiServer::stop_accepting() {
  if (listener_.ours) accept_connections();
  const std::lock_guard lock(accept_mutex_);
  // Closing alone would not do: others have the same socket open, and epoll would go on watching
  // it.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.fd.get(), nullptr);
  listener_.fd.reset();
}

void FastCgiServer::work() {
  while (crew_.next_turn()) {
    epoll_event event{};
    if (epoll_wait(epoll_.get(), &event, 1, -1) != 1) continue;
    switch (static_cast<Topic>(event.data.u64 >> 32)) {
      case kStop: return;
      case kListener: accept_connections(); break;
      case kQueue: queue_.run(); break;
      case kConnection: serve_connection(static_cast<int>(event.data.u64 & 0xffffffff)); break;
    }
  }
}

void FastCgiServer::accept_connections() {
  const std::lock_guard lock(accept_mutex_);
  const int listener = listener_.fd.get();
  if (listener < 0) return;
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) {
        log::error("accept failed error=\"{}\"", std::strerror(errno));
        usleep(100'000);  // out of descriptors: a connection must close first
      }
      break;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
    ++connections_;
    if (!watch(epoll_.get(), EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, kConnection)) {
      close(fd);
      forget_connection();
    }
  }
  watch(epoll_.get(), EPOLL_CTL_MOD, listener, EPOLLIN | EPOLLONESHOT, kListener);
}

void FastCgiServer::serve_connection(int fd) {
  try {
    const auto exchange = std::make_shared<Exchange>(*this, fd);
    HttpRequest request;
    if (!exchange->read(request)) return;
    serve_(std::move(request),
           [exchange](const HttpResponse& response) { exchange->answer(response); });
  } catch (const std::exception& fault) {
    log::error("request failed error=\"{}\"", log_safe(fault.what()));
  }
}

void FastCgiServer::keep_connection(int fd) {
  if (watch(epoll_.get(), EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, kConnection)) return;
  close(fd);
  forget_connection();
}

void FastCgiServer::forget_connection() {
  last_use_ = Steady::now().time_since_epoch().count();
  --connections_;
}

}  // namespace postern
