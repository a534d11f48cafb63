#include "fcgi/server/worker_gate.h"

#include <utility>

namespace postern {
namespace {

// The gate that the present thread has passed.
thread_local WorkerGate* duty = nullptr;

}  // namespace

WorkerGate::WorkerGate(int on_duty) : limit_(on_duty) {}

bool WorkerGate::next_turn() {
  if (duty == this && on_duty_ <= limit_ && !dismissed_) return true;
  std::unique_lock lock(mutex_);
  if (std::exchange(duty, nullptr) == this) --on_duty_;
  wanted_.wait(lock, [&] { return dismissed_ || on_duty_ < limit_; });
  if (dismissed_) return false;
  ++on_duty_;
  duty = this;
  return true;
}

void WorkerGate::dismiss() {
  {
    const std::lock_guard lock(mutex_);
    dismissed_ = true;
  }
  wanted_.notify_all();
}

BlockingSection::BlockingSection() : gate_(std::exchange(duty, nullptr)) {
  if (gate_ == nullptr) return;
  {
    const std::lock_guard lock(gate_->mutex_);
    --gate_->on_duty_;
  }
  gate_->wanted_.notify_one();
}

// There may be one too many now; whoever asks next for a turn rests.
BlockingSection::~BlockingSection() {
  if (gate_ == nullptr) return;
  const std::lock_guard lock(gate_->mutex_);
  ++gate_->on_duty_;
  duty = gate_;
}

}  // namespace postern
