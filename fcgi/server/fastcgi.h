// The FastCGI server. Requests are read and answered by libfcgi, but libfcgi never accepts a
// connection: it would hold a thread for every kept connection, even an idle one, so that
// sixty-four of nginx's would stop a server of sixty-four threads. Here all threads wait in one
// epoll, for the listening socket and for every connection; the one that gets a readable connection
// lends it to libfcgi for the length of one request. A connection without a request costs a
// descriptor and nothing else; and a request whose answer is made elsewhere, such as a task that
// waits for its commit, costs no thread either.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <vector>

#include <pthread.h>

#include "core/time/time.h"
#include "fcgi/server/body_budget.h"
#include "fcgi/server/http.h"
#include "fcgi/server/listener.h"
#include "fcgi/server/run_queue.h"
#include "fcgi/server/worker_gate.h"

namespace postern {

class FastCgiServer {
 public:
  struct Options {
    int threads = 64;
    std::size_t max_body = 512 * 1024;
    // For a request whose path is known; absent: max_body for each.
    std::function<std::size_t(const HttpRequest&)> max_body_of = {};
    std::size_t max_bodies_in_flight = 96 * 1024 * 1024;  // of all requests together, in bytes
    Seconds idle_exit{0};                                 // 0: never
    Seconds drain_timeout{60};
  };
  // Called by many threads at once. A request whose Reply is dropped costs its connection; so does
  // what this throws.
  using Serve = std::function<void(HttpRequest, Reply)>;

  // Holds SIGTERM, SIGINT and SIGHUP back from every thread started from now on, for `run` to read
  // from the descriptor returned. Ignores SIGPIPE. Call it before the first thread.
  static Fd take_signals();

  // Its threads run what comes into `queue` too. Whatever blocks in either says so by
  // BlockingSection.
  FastCgiServer(Listener listener, Options options, RunQueue& queue, Serve serve);
  ~FastCgiServer();
  FastCgiServer(const FastCgiServer&) = delete;
  FastCgiServer& operator=(const FastCgiServer&) = delete;

  // Serves until SIGTERM or SIGINT, `drain`, or the idle time. Then it accepts no more, serves the
  // connections that are there until nginx closes them, and returns true; after drain_timeout, or
  // at a second signal, false, and threads may still be at work. `signals`: from take_signals; may
  // be empty.
  bool run(Fd signals);

  // Ends `run` as SIGTERM would. Any thread.
  void drain();

  // Connections that are open now. Any thread.
  int connections() const { return connections_; }

 private:
  enum class Event { nothing, drain, hangup };
  class Exchange;

  void work();
  void accept_connections();
  void serve_connection(int fd);
  void keep_connection(int fd);
  void forget_connection();
  void stop_accepting();
  Event wait_for_event(const Fd& signals, int timeout_ms);
  bool idle_for(Seconds time) const;

  const Options options_;
  BodyBudget bodies_;
  RunQueue& queue_;
  WorkerGate crew_;
  const Serve serve_;
  Fd epoll_;
  Fd stop_;     // readable: the workers end
  Fd control_;  // wakes `run`
  std::mutex accept_mutex_;
  Listener listener_;  // guarded by accept_mutex_; empty when no more is accepted
  std::atomic<int> connections_ = 0;
  std::atomic<bool> drain_wanted_ = false;
  std::atomic<std::chrono::steady_clock::rep> last_use_;
  std::vector<pthread_t> threads_;
};

}  // namespace postern
