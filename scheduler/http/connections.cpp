#include "scheduler/http/connections.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace postern::scheduler {
namespace {

using Clock = Connections::Clock;

constexpr std::size_t kGroups = 16;
// Below this there is nothing to divide.
constexpr std::size_t kKeptByEachAtLeast = 64;
constexpr auto kOldest = std::chrono::seconds(kMaxIdleSeconds + 1);
constexpr auto kMixedUpFor = std::chrono::minutes(10);
constexpr std::size_t kMixedUpAtMost = 10'000;
constexpr auto kCloseOldEvery = std::chrono::seconds(1);

bool is_too_old(Clock::time_point since, Clock::time_point now) { return since + kOldest <= now; }

struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

curl_socket_t open_none(void*, curlsocktype, curl_sockaddr*) { return CURL_SOCKET_BAD; }

}  // namespace

struct Connections::Group {
  Connections* all;
  std::unique_ptr<CURLM, FreeMulti> multi{curl_multi_init()};
  std::optional<Clock::time_point> timer = {};
  std::size_t running = 0;
  // When a transfer started or ended; nullopt: no connection has been idle since they were looked
  // through.
  std::optional<Clock::time_point> used = {};
};

Connections::Connections(std::size_t kept) : nowhere_(curl_easy_init()) {
  const std::size_t groups = std::clamp<std::size_t>(kept / kKeptByEachAtLeast, 1, kGroups);
  kept_by_each_ = kept / groups;
  for (std::size_t i = 0; i < groups; ++i) {
    groups_.push_back(std::make_unique<Group>(Group{.all = this}));
    CURLM* multi = groups_.back()->multi.get();
    if (!multi || !nowhere_) throw std::runtime_error("libcurl cannot be set up");
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, groups_.back().get());
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, groups_.back().get());
  }
  curl_easy_setopt(nowhere_.get(), CURLOPT_URL, "http://127.0.0.1/");
  curl_easy_setopt(nowhere_.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(nowhere_.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(nowhere_.get(), CURLOPT_MAXAGE_CONN, kMaxIdleSeconds);
  curl_easy_setopt(nowhere_.get(), CURLOPT_OPENSOCKETFUNCTION, open_none);
}

Connections::~Connections() = default;

int Connections::on_socket(CURL*, curl_socket_t fd, int what, void* group, void*) noexcept {
  static_cast<Group*>(group)->all->sockets_.watch(fd, what, group);
  return 0;
}

int Connections::on_timer(CURLM*, long milliseconds, void* group) noexcept {
  auto& timer = static_cast<Group*>(group)->timer;
  timer.reset();
  if (milliseconds >= 0) timer = Clock::now() + Milliseconds(milliseconds);
  return 0;
}

// The group of the latest idle connection to the same origin, so that those that are too many get
// old.
Connections::Group* Connections::take_idle(std::size_t origin, Clock::time_point now) {
  const auto found = idle_.find(origin);
  if (found == idle_.end()) return nullptr;
  const Idle latest = found->second.back();
  found->second.pop_back();
  if (found->second.empty() || is_too_old(latest.since, now)) idle_.erase(found);
  return is_too_old(latest.since, now) ? nullptr : latest.group;
}

void Connections::start(Transfer& transfer) {
  const auto now = Clock::now();
  const bool mixed_up = mixed_up_.contains(transfer.origin());
  if (mixed_up) transfer.take_new_connection();
  const bool fresh = mixed_up || transfer.request().fresh_connection;
  Group* const idle = fresh ? nullptr : take_idle(transfer.origin(), now);
  // A fresh one is not kept beside those that are idle already; else a queue of tasks with one
  // attempt each would pile them up.
  transfer.keeps_connection = !mixed_up && (!fresh || !idle_.contains(transfer.origin()));
  add(transfer, idle, now);
}

void Connections::add(Transfer& transfer, Group* idle, Clock::time_point now) {
  last_chosen_ = idle ? last_chosen_ : (last_chosen_ + 1) % groups_.size();
  Group& group = idle ? *idle : *groups_[last_chosen_];
  curl_easy_setopt(transfer.easy(), CURLOPT_FORBID_REUSE, transfer.keeps_connection ? 0L : 1L);
  ++group.running;
  group.used = now;
  limit_kept(group);
  transfer.group = &group;
  if (curl_multi_add_handle(group.multi.get(), transfer.easy()) != CURLM_OK) {
    throw std::runtime_error("libcurl refuses a transfer");
  }
}

void Connections::remove(Transfer& transfer) {
  Group& group = *static_cast<Group*>(transfer.group);
  curl_multi_remove_handle(group.multi.get(), transfer.easy());
  --group.running;
  limit_kept(group);
}

// libcurl's limit includes the connections in use. It checks the limit at the end of a transfer,
// when that transfer's own connection is already idle; hence `running` less one.
void Connections::limit_kept(Group& group) const {
  const std::size_t in_use = std::max<std::size_t>(group.running, 1) - 1;
  const std::size_t limit = std::max<std::size_t>(kept_by_each_ + in_use, 1);
  curl_multi_setopt(group.multi.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(limit));
}

std::optional<Connections::Clock::time_point> Connections::next_timer() const {
  std::optional<Clock::time_point> next;
  for (const auto& group : groups_) {
    if (group->timer && (!next || *group->timer < *next)) next = group->timer;
  }
  return next;
}

void Connections::advance(bool sockets_ready, const Ended& ended) {
  int still_running = 0;
  if (sockets_ready) {
    for (const SocketSet::Ready& ready : sockets_.take_ready()) {
      auto* group = static_cast<Group*>(sockets_.owner(ready));
      if (!group) continue;
      curl_multi_socket_action(group->multi.get(), ready.fd, ready.what, &still_running);
      take_ended(*group, ended);
    }
  }
  const auto now = Clock::now();
  for (const auto& group : groups_) {
    if (!group->timer || *group->timer > now) continue;
    group->timer.reset();
    curl_multi_socket_action(group->multi.get(), CURL_SOCKET_TIMEOUT, 0, &still_running);
    take_ended(*group, ended);
  }
  if (now >= close_old_at_) {
    close_old(now, ended);
    close_old_at_ = now + kCloseOldEvery;
  }
}

void Connections::take_ended(Group& group, const Ended& ended) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(group.multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // removing the handle frees the message
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    remove(*transfer);
    group.used = Clock::now();
    const bool mixed_up = transfer->mixed_up(code);
    if (mixed_up && mixed_up_.size() < kMixedUpAtMost) {
      mixed_up_[transfer->origin()] = *group.used + kMixedUpFor;
    }
    if (transfer->found_unfit()) {
      transfer->take_new_connection();
      transfer->keeps_connection = !mixed_up;
      add(*transfer, nullptr, *group.used);
      continue;
    }
    if (code == CURLE_OK && transfer->keeps_connection) {
      idle_[transfer->origin()].push_back({&group, *group.used});
    }
    ended(*transfer, code);
  }
}

// libcurl closes idle connections that are too old when a transfer starts. Where none did, one is
// started that leads nowhere.
void Connections::close_old(Clock::time_point now, const Ended& ended) {
  for (const auto& group : groups_) {
    if (!group->used || !is_too_old(*group->used, now)) continue;
    group->used.reset();
    int still_running = 0;
    curl_multi_add_handle(group->multi.get(), nowhere_.get());
    curl_multi_socket_action(group->multi.get(), CURL_SOCKET_TIMEOUT, 0, &still_running);
    curl_multi_remove_handle(group->multi.get(), nowhere_.get());
    take_ended(*group, ended);
  }
  std::erase_if(mixed_up_, [&](const auto& each) { return each.second <= now; });
  for (auto at = idle_.begin(); at != idle_.end();) {
    auto& idle = at->second;
    std::erase_if(idle, [&](const Idle& each) { return is_too_old(each.since, now); });
    at = idle.empty() ? idle_.erase(at) : std::next(at);
  }
}

}  // namespace postern::scheduler
