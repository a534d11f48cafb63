// Which of the server's threads are at work. Many are needed, because some block; but as long as
// none does, as many as there are processors do everything, and the more of them wait for the next
// request, the more of the time goes into waking them (64 threads took twice the processor time per
// task of 2, on 2 processors).
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace postern {

// Thread-safe.
class Crew {
 public:
  // `on_duty`: how many work at the same time, not counting those who are away.
  explicit Crew(int on_duty);

  // Asked by each thread before each piece of work: returns when it may do one. False: it is to
  // end.
  bool next_turn();
  void dismiss();

  // While it lives, its thread may block, and another of the crew takes its place. Does nothing on
  // threads that belong to none, and inside another.
  class Away {
   public:
    Away();
    ~Away();
    Away(const Away&) = delete;
    Away& operator=(const Away&) = delete;

   private:
    Crew* crew_;
  };

 private:
  const int limit_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::atomic<int> on_duty_ = 0;         // written under mutex_
  std::atomic<bool> dismissed_ = false;  // written under mutex_
};

}  // namespace postern
