#include "fcgi/streams.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "fcgi/database.h"

namespace postern {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kStep = 200;
constexpr std::chrono::seconds kMaxTime{60};

}  // namespace

struct Streams::Reader::State {
  State(Streams& streams_, std::string tenant_, db::TaskFilter filter_)
      : streams(streams_), tenant(std::move(tenant_)), filter(std::move(filter_)) {}
  ~State() { --streams.open_; }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Streams& streams;
  const std::string tenant;
  db::TaskFilter filter;  // of what is left
  const Clock::time_point end = Clock::now() + kMaxTime;
  bool exhausted = false;
};

Result<Streams::Reader> Streams::open(std::string tenant, db::TaskFilter filter) {
  if (++open_ > limit_) {
    --open_;
    return Error{Errc::rate_limited, "too_many_streams", "",
                 "Too many lists are being streamed at the moment. Try again."};
  }
  Reader reader;
  reader.state_ = std::make_shared<Reader::State>(*this, std::move(tenant), std::move(filter));
  return reader;
}

std::optional<std::vector<Task>> Streams::Reader::next() {
  if (state_->exhausted) return std::vector<Task>();
  if (Clock::now() > state_->end) return std::nullopt;
  db::TaskFilter step = state_->filter;
  step.limit = std::min(kStep, step.limit);
  auto tasks = read_from(state_->streams.pool_, [&](auto& connection) {
    return db::next_tasks(connection, state_->tenant, step);
  });
  state_->exhausted = static_cast<int>(tasks.size()) < step.limit;
  state_->filter.limit -= static_cast<int>(tasks.size());
  state_->exhausted = state_->exhausted || state_->filter.limit == 0;
  state_->filter.offset = 0;
  if (!tasks.empty()) state_->filter.before = tasks.back().spec.id;
  return tasks;
}

}  // namespace postern
