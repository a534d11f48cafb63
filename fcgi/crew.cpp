#include "fcgi/crew.h"

#include <utility>

namespace postern {
namespace {

// The crew that the present thread is on duty in.
thread_local Crew* duty = nullptr;

}  // namespace

Crew::Crew(int on_duty) : limit_(on_duty) {}

bool Crew::next_turn() {
  if (duty == this && on_duty_ <= limit_ && !dismissed_) return true;
  std::unique_lock lock(mutex_);
  if (std::exchange(duty, nullptr) == this) --on_duty_;
  wanted_.wait(lock, [&] { return dismissed_ || on_duty_ < limit_; });
  if (dismissed_) return false;
  ++on_duty_;
  duty = this;
  return true;
}

void Crew::dismiss() {
  {
    const std::lock_guard lock(mutex_);
    dismissed_ = true;
  }
  wanted_.notify_all();
}

Crew::Away::Away() : crew_(std::exchange(duty, nullptr)) {
  if (crew_ == nullptr) return;
  {
    const std::lock_guard lock(crew_->mutex_);
    --crew_->on_duty_;
  }
  crew_->wanted_.notify_one();
}

// There may be one too many now; whoever asks next for a turn rests.
Crew::Away::~Away() {
  if (crew_ == nullptr) return;
  const std::lock_guard lock(crew_->mutex_);
  ++crew_->on_duty_;
  duty = crew_;
}

}  // namespace postern
