#include "fcgi/server/run_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <exception>
#include <iterator>
#include <system_error>
#include <utility>

#include "core/program/log.h"

namespace postern {
namespace {

// So much is worth waking a thread for; each wake-up costs about as much as one answer.
constexpr std::size_t kWorthWaking = 16;

}  // namespace

RunQueue::RunQueue() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void RunQueue::add(std::vector<Work> work) {
  if (work.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    work_.insert(work_.end(), std::move_iterator(work.begin()), std::move_iterator(work.end()));
  }
  wake_one();
}

void RunQueue::run() {
  for (bool first = true;; first = false) {
    Work work;
    bool much = false;
    {
      const std::lock_guard lock(mutex_);
      if (work_.empty()) return;
      work = std::move(work_.front());
      work_.pop_front();
      much = first && work_.size() >= kWorthWaking;
    }
    if (much) wake_one();
    try {
      work();
    } catch (const std::exception& fault) {
      log::error("answer failed error=\"{}\"", log_safe(fault.what()));
    }
  }
}

void RunQueue::wake_one() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof(one));
}

}  // namespace postern
