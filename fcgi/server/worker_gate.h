// How many of the server's threads work at the same time. Many threads are needed, because some
// block; but as long as none does, as many as there are processors do everything, and the more of
// them wait for the next request, the more of the time goes into waking them (64 threads took twice
// the processor time per task of 2, on 2 processors).
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace postern {

// Thread-safe.
class WorkerGate {
 public:
  // `on_duty`: how many work at the same time, not counting those in a BlockingSection.
  explicit WorkerGate(int on_duty);

  // Asked by each thread before each piece of work: returns when it may do one. False: it is to
  // end.
  bool next_turn();
  void dismiss();

 private:
  friend class BlockingSection;

  const int limit_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::atomic<int> on_duty_ = 0;         // written under mutex_
  std::atomic<bool> dismissed_ = false;  // written under mutex_
};

// While one lives, its thread may block, and another passes the gate in its place. Does nothing on
// threads that have passed none, and inside another.
class BlockingSection {
 public:
  BlockingSection();
  ~BlockingSection();
  BlockingSection(const BlockingSection&) = delete;
  BlockingSection& operator=(const BlockingSection&) = delete;

 private:
  WorkerGate* gate_;
};

}  // namespace postern
