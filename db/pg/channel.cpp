#include "db/pg/channel.h"

#include <chrono>
#include <utility>

#include "core/base/crash_point.h"

namespace postern::db {

Channel::Channel(PgConnection::Options options, std::string listen)
    : options_(std::move(options)),
      listen_sql_(listen.empty() ? "" : "LISTEN " + listen),
      listen_statement_{"", listen_sql_.c_str()} {}

void Channel::submit(const Statement& statement, Params params, Done done, Failed failed) {
  queue_.push_back({&statement, std::move(params), std::move(done), std::move(failed)});
}

int Channel::socket() const {
  if (connecting_) return connecting_->socket();
  return connection_ ? connection_->socket() : -1;
}

std::optional<Monotonic> Channel::wake_at() const {
  if (state_ == State::waiting) return retry_at_;
  if (state_ == State::connecting) return connecting_->until();
  if (sent_ != Sent::nothing) return look_at_;
  if (!queue_.empty()) return Monotonic{};
  return std::nullopt;
}

std::vector<Notification> Channel::take_notifications() {
  return std::exchange(notifications_, {});
}

void Channel::drive(Monotonic now) {
  if (state_ == State::waiting && may_connect(now)) {
    connecting_.emplace(options_, now);
    state_ = State::connecting;
  }
  if (state_ == State::connecting) drive_connect(now);
  if (state_ == State::ready) drive_ready(now);
}

// Another connection of the program has found the server since this one was lost: so it is there.
bool Channel::may_connect(Monotonic now) const {
  if (now >= retry_at_) return true;
  return options_.primary && options_.primary->connected_at() > lost_at_;
}

void Channel::drive_connect(Monotonic now) {
  const auto progress = connecting_->drive(now);
  wants_write_ = progress == PgConnection::Progress::writing;
  if (progress == PgConnection::Progress::failed) return lose(now, connecting_->error());
  if (progress != PgConnection::Progress::done) return;
  connection_.emplace(connecting_->take());
  connecting_.reset();
  state_ = State::ready;
  ++connects_;
  backoff_.reset();
  if (!listen_sql_.empty()) {
    queue_.push_front({&listen_statement_,
                       {},
                       [](const PgResult&) {},
                       // Without notifications the duties' polling still finds all work.
                       [](const PgError&) {}});
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
        send_head(now);
      }
      const auto progress = connection_->flush();
      wants_write_ = progress == PgConnection::Progress::writing;
      if (progress == PgConnection::Progress::failed) return lose(now, connection_->error());
      if (sent_ == Sent::statement) crash_point(queue_.front().statement->label(), "sent");
    }
    if (!connection_->alive()) return lose(now, connection_->error());
    watch(now);
  } catch (const PgError& error) {
    lose(now, error.what());
  }
}

// A statement that takes long: is anybody there?
void Channel::watch(Monotonic now) {
  if (sent_ == Sent::nothing || now < look_at_) return;
  if (!pulse_) pulse_.emplace(connection_->options(), now - kSilence);
  if (!pulse_->beats(now)) return lose(now, kSilent);
  look_at_ = now + kPulseEvery;
}

void Channel::send_head(Monotonic now) {
  look_at_ = now + kSilence;
  pulse_.reset();
  if (connection_->must_ask_again(now)) ask_again();
  const auto& job = queue_.front();
  const bool prepared = connection_->prepared(*job.statement);
  if (prepared) crash_point(job.statement->label(), "unsent");
  const bool sent = prepared ? connection_->send(*job.statement, job.params)
                             : connection_->send_prepare(*job.statement, job.params);
  if (!sent) throw PgError(connection_->error(), "", true);
  sent_ = prepared ? Sent::statement : Sent::prepare;
}

// Puts the question to the primary before all others. An answer that is not to be borne loses the
// connection, in drive_ready. A refusal does, too.
void Channel::ask_again() {
  question_ = options_.primary->question();
  question_statement_ = {"", question_.c_str()};
  if (question_.empty()) return;
  queue_.push_front({&question_statement_,
                     {},
                     // Not when it was asked: an answer that takes long is no reason to ask again.
                     [this](const PgResult& answer) {
                       connection_->take_answer(answer, std::chrono::steady_clock::now());
                     },
                     [](const PgError&) {}});
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
  if (result && !refused) {
    job.done(*result);
    return true;
  }
  const auto why = refused ? *refused : PgError("the server sent no result", "", true);
  if (job.statement == &question_statement_) throw question_refused(why);
  job.failed(why);
  return true;
}

void Channel::lose(Monotonic now, std::string why) {
  result_.reset();
  refused_.reset();
  last_error_ = why;
  connecting_.reset();
  pulse_.reset();
  connection_.reset();
  state_ = State::waiting;
  wants_write_ = false;
  const bool under_way = std::exchange(sent_, Sent::nothing) != Sent::nothing;
  lost_at_ = now;
  retry_at_ = now + backoff_.next();
  // Only the head may have taken effect; the others were never sent. All go back to their owners,
  // which know whether their work is still wanted once the server is there again.
  auto jobs = std::exchange(queue_, {});
  bool head = under_way;
  for (auto& job : jobs) {
    job.failed(PgError(why, "", std::exchange(head, false)));
  }
}

}  // namespace postern::db
