// Tells the log of tasks that failed for good: a line each, and where there are many, a number.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/model/ids.h"
#include "core/model/task.h"

namespace postern {

struct FailedTask {
  TaskId id;
  std::string_view tenant, queue;
  std::string_view host;  // of its target; nothing else of a URL goes into a log
  int attempts;
  Reason reason;
  std::optional<int> status;  // that the last attempt was answered with
};

// In ten seconds a queue gets kLinesOfQueue lines and all together kLines. What is beyond is
// counted, and told in one line a queue when they are over: by turn(), or with the next failure.
// Counts kQueues queues, and all others as one. Thread-safe.
class FailureLog {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kWindow{10};
  static constexpr int kLinesOfQueue = 20, kLines = 500;
  static constexpr std::size_t kQueues = 1000;

  FailureLog() = default;
  ~FailureLog() { tell_counts(); }
  FailureLog(const FailureLog&) = delete;
  FailureLog& operator=(const FailureLog&) = delete;

  void add(const FailedTask& task, Clock::time_point now);
  void turn(Clock::time_point now);

 private:
  struct Count {
    int lines = 0;
    std::int64_t more = 0;
  };
  Count& count_of(std::string_view tenant, std::string_view queue);
  void start_anew(Clock::time_point now);
  void tell_counts();

  std::mutex mutex_;  // guards the rest
  std::map<std::pair<std::string, std::string>, Count> counts_;
  Count others_;
  int lines_ = 0;
  Clock::time_point until_{};
};

}  // namespace postern
