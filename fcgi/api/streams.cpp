#include "fcgi/api/streams.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "fcgi/server/db_access.h"

namespace postern {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kStep = 200;
constexpr std::chrono::seconds kMaxTime{60};

}  // namespace

struct Streams::Reader::State {
  Streams& streams;
  ConcurrencyLimit::Pass place;
  const std::string tenant;
  db::TaskFilter filter;  // of what is left
  const Clock::time_point end = Clock::now() + kMaxTime;
  bool exhausted = false;
};

Result<Streams::Reader> Streams::open(std::string tenant, db::TaskFilter filter) {
  auto place = places_.enter(tenant);
  if (!place) {
    return Error{Errc::rate_limited, "too_many_streams", "",
                 "Too many lists are being streamed at the moment. Try again."};
  }
  Reader reader;
  reader.state_ = std::make_shared<Reader::State>(
      Reader::State{*this, std::move(place), std::move(tenant), std::move(filter)});
  return reader;
}

std::optional<std::vector<Task>> Streams::Reader::next() {
  State& at = *state_;
  std::vector<Task> tasks;
  while (tasks.empty() && !at.exhausted) {
    if (Clock::now() > at.end) return std::nullopt;
    db::TaskFilter step = at.filter;
    step.limit = std::min(kStep, step.limit);
    step.looks = 1;
    auto listed = read_from(at.streams.pool_, [&](auto& connection) {
      return db::next_tasks(connection, at.tenant, step);
    });
    if (at.streams.placements_.is_elsewhere(at.tenant)) {
      throw std::runtime_error("the tenant has moved to another cell");
    }
    tasks = std::move(listed.tasks);
    at.filter.limit -= static_cast<int>(tasks.size());
    at.exhausted = !listed.next || at.filter.limit == 0;
    at.filter.offset = listed.offset;
    at.filter.before = listed.next;
  }
  if (tasks.empty()) {
    // Before the client sees the end: it may ask for the next list at once.
    at.place.reset();
  }
  return tasks;
}

}  // namespace postern
