#include "db/pg/channel.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "core/base/crash_point.h"

namespace postern::db {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::milliseconds kLastBackoff{5'000};
constexpr std::chrono::seconds kConnectTimeout{5};  // libpq's own is only for those who block

}  // namespace

Channel::Channel(PgConnection::Options options, std::string listen)
    : options_(std::move(options)),
      session_sql_(options_.session.empty() ? "" : session_sql(options_.session)),
      session_statement_{"", session_sql_.c_str()},
      listen_sql_(listen.empty() ? "" : "LISTEN " + listen),
      listen_statement_{"", listen_sql_.c_str()} {}

void Channel::submit(const Statement& statement, Params params, Done done, Failed failed) {
  queue_.push_back({&statement, std::move(params), std::move(done), std::move(failed)});
}

int Channel::socket() const { return connection_ ? connection_->socket() : -1; }

std::optional<Monotonic> Channel::wake_at() const {
  if (state_ == State::waiting) return retry_at_;
  if (state_ == State::connecting) return connect_by_;
  if (state_ == State::ready && sent_ == Sent::nothing && !queue_.empty()) return Monotonic{};
  return std::nullopt;
}

std::vector<Notification> Channel::take_notifications() {
  return std::exchange(notifications_, {});
}

void Channel::drive(Monotonic now) {
  if (state_ == State::waiting && now >= retry_at_) {
    connect_by_ = now + kConnectTimeout;
    connect();
  }
  if (state_ == State::connecting) drive_connect(now);
  if (state_ == State::ready) drive_ready(now);
}

void Channel::connect() {
  connection_.emplace(PgConnection::start(options_));
  state_ = State::connecting;
  wants_write_ = true;
}

void Channel::drive_connect(Monotonic now) {
  if (now >= connect_by_) return lose(now, "no connection within 5 s");
  // Called before its socket is ready, PQconnectPoll sends its first packet and waits for the
  // connection.
  pollfd fd{connection_->socket(), static_cast<short>(wants_write_ ? POLLOUT : POLLIN), 0};
  if (fd.fd >= 0 && poll(&fd, 1, 0) == 0) return;
  switch (connection_->poll_connect()) {
    case PgConnection::Progress::reading: wants_write_ = false; return;
    case PgConnection::Progress::writing: wants_write_ = true; return;
    case PgConnection::Progress::failed: lose(now, connection_->error()); return;
    case PgConnection::Progress::done: break;
  }
  state_ = State::ready;
  wants_write_ = false;
  ++connects_;
  backoff_ = {};
  if (!listen_sql_.empty()) {
    queue_.push_front({&listen_statement_,
                       {},
                       [](const PgResult&) {},
                       // Without notifications the duties' polling still finds all work.
                       [](const PgError&) {}});
  }
  if (!session_sql_.empty()) {
    queue_.push_front({&session_statement_,
                       {},
                       [](const PgResult&) {},
                       // Nothing may run without these settings. A server that refuses them throws
                       // the connection back to drive_ready, which begins anew.
                       [](const PgError& error) {
                         if (!error.sqlstate().empty()) throw error;
                       }});
  }
}

// Results in, statements out, until nothing more can be done without waiting.
void Channel::drive_ready(Monotonic now) {
  try {
    if (!connection_->consume()) return lose(now, connection_->error());
    while (auto notification = connection_->notification()) {
      notifications_.push_back(std::move(*notification));
    }
    while (state_ == State::ready) {
      if (sent_ != Sent::nothing && !take_results()) break;
      if (sent_ == Sent::nothing) {
        if (queue_.empty()) break;
        send_head();
      }
      const auto progress = connection_->flush();
      wants_write_ = progress == PgConnection::Progress::writing;
      if (progress == PgConnection::Progress::failed) return lose(now, connection_->error());
      if (sent_ == Sent::statement) crash_point(queue_.front().statement->label(), "sent");
    }
    if (!connection_->alive()) lose(now, connection_->error());
  } catch (const PgError& error) {
    lose(now, error.what());
  }
}

void Channel::send_head() {
  const auto& job = queue_.front();
  const bool prepared = connection_->prepared(*job.statement);
  if (prepared) crash_point(job.statement->label(), "unsent");
  const bool sent = prepared ? connection_->send(*job.statement, job.params)
                             : connection_->send_prepare(*job.statement, job.params);
  if (!sent) throw PgError(connection_->error(), "", true);
  sent_ = prepared ? Sent::statement : Sent::prepare;
}

// Takes the results of what was sent; false when they are not all here yet. A statement is over
// only at the end marker: the commit happens after its result was sent, and may still fail.
bool Channel::take_results() {
  for (;;) {
    if (connection_->busy()) return false;
    try {
      auto result = connection_->next();
      if (!result) break;
      result_ = std::move(result);
    } catch (const PgError& error) {
      if (error.connection_lost()) throw;
      refused_ = error;
    }
  }
  const auto sent = std::exchange(sent_, Sent::nothing);
  const auto result = std::exchange(result_, std::nullopt);
  const auto refused = std::exchange(refused_, std::nullopt);
  if (sent == Sent::prepare && !refused) {
    connection_->mark_prepared(*queue_.front().statement);
    return true;
  }
  Job job = std::move(queue_.front());
  queue_.pop_front();
  crash_point(job.statement->label(), "answered");
  if (refused || !result) {
    job.failed(refused ? *refused : PgError("the server sent no result", "", true));
  } else {
    job.done(*result);
  }
  return true;
}

void Channel::lose(Monotonic now, const std::string& why) {
  result_.reset();
  refused_.reset();
  connection_.reset();
  state_ = State::waiting;
  wants_write_ = false;
  const bool under_way = std::exchange(sent_, Sent::nothing) != Sent::nothing;
  last_error_ = why;
  backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kLastBackoff);
  retry_at_ = now + backoff_;
  // Only the head may have taken effect; the others were never sent. All go back to their owners,
  // which know whether their work is still wanted once the server is there again.
  auto jobs = std::exchange(queue_, {});
  bool head = under_way;
  for (auto& job : jobs) {
    job.failed(PgError(why, "", std::exchange(head, false)));
  }
}

}  // namespace postern::db
