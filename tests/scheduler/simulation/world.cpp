#include "tests/scheduler/simulation/world.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

namespace postern::simulation {
namespace {

constexpr std::size_t kEventsKept = 80;

}  // namespace

Uuid Random::uuid() {
  Uuid id;
  for (std::size_t half = 0; half < 2; ++half) {
    const std::uint64_t bits = engine_();
    std::memcpy(id.bytes.data() + 8 * half, &bits, sizeof bits);
  }
  return id;
}

void World::jump(Microseconds by) {
  latest_ = latest_database_clock();
  jumped_ += by;
  ever_jumped_ = true;
}

void World::at(Monotonic when, std::function<void()> what) {
  planned_.push_back({std::max(when, now_), ++last_number_, std::move(what)});
  std::push_heap(planned_.begin(), planned_.end(), std::greater<>());
}

bool World::step() {
  if (planned_.empty() || !violation_.empty()) return false;
  std::pop_heap(planned_.begin(), planned_.end(), std::greater<>());
  const Planned next = std::move(planned_.back());
  planned_.pop_back();
  now_ = next.when;
  next.what();
  return violation_.empty();
}

void World::record(const char* what, int who, const Uuid& id, std::int64_t number) {
  const Event event{elapsed(), what, who, id, number};
  const auto add = [&](const void* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      hash_ = (hash_ ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211u;
    }
  };
  const std::int64_t at = event.at.count();
  add(&at, sizeof at);
  add(what, std::strlen(what));
  add(&who, sizeof who);
  add(id.bytes.data(), id.bytes.size());
  add(&number, sizeof number);
  if (tracing_) std::printf("%s\n", line(event).c_str());
  events_.push_back(event);
  if (events_.size() > kEventsKept) events_.pop_front();
}

std::string World::line(const Event& event) {
  return fmt::format("{:12.6f} s{} {} {} {}", static_cast<double>(event.at.count()) / 1e6,
                     event.who, event.what, event.id == Uuid{} ? "" : to_uuid(event.id),
                     event.number);
}

std::string World::last_events() const {
  std::string out;
  for (const auto& event : events_) out += line(event) + "\n";
  return out;
}

void World::violated(const std::string& rule) {
  if (violation_.empty()) {
    violation_ = fmt::format("at {:.6f} s: {}", static_cast<double>(elapsed().count()) / 1e6, rule);
  }
}

}  // namespace postern::simulation
