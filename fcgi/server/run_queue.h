// Work that one thread has for the others: the intake's answers, a whole batch at a time. Whoever
// waits in an epoll that watches `fd` runs them.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "fcgi/server/listener.h"

namespace postern {

// Thread-safe.
class RunQueue {
 public:
  using Work = std::function<void()>;

  RunQueue();

  void add(std::vector<Work> work);

  // Runs what there is, one after the other, until nothing is left. Wakes another thread to help
  // when it is much. What throws is a fault: logged, and the next is run.
  void run();

  // For an edge-triggered epoll: each edge is a reason for one thread to call `run`. Never to be
  // read.
  int fd() const { return wake_.get(); }

 private:
  void wake_one();

  Fd wake_;
  std::mutex mutex_;
  std::deque<Work> work_;
};

}  // namespace postern
