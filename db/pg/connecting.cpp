#include "db/pg/connecting.h"

#include <poll.h>

#include <charconv>
#include <chrono>
#include <utility>

#include "db/pg/login.h"

namespace postern::db {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Seconds kConnectLimit{3};

// How long a host may take: `connect_timeout` of the connection string, which must be positive,
// since a host that never answers would hold up the others for ever.
Seconds limit_of(const std::string& conninfo) try {
  const auto text = conninfo_value(conninfo, "connect_timeout");
  int seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return seconds > 0 ? Seconds{seconds} : kConnectLimit;
} catch (const PgError&) {
  return kConnectLimit;
}

}  // namespace

Connecting::Connecting(const PgConnection::Options& options, Monotonic now)
    : options_(options),
      limit_(limit_of(options.conninfo)),
      session_(options.session.empty() ? "" : session_sql(options.session)),
      hosts_(options.conninfo) {
  begin(now);
}

void Connecting::begin(Monotonic now) {
  const auto began = Clock::now();
  connection_.reset();
  wants_ = Progress::writing;
  greeted_ = false;
  question_.clear();
  silent_ = false;
  options_.conninfo = hosts_.host().conninfo;
  last_.reset();
  refused_.reset();
  connection_.emplace(PgConnection::start(options_));
  // The resolution of a name does not count.
  until_ = now + (Clock::now() - began) + limit_;
}

PgConnection::Progress Connecting::drive(Monotonic now) {
  for (;;) {
    const auto progress = step(now);
    if (progress == Progress::done) {
      hosts_.good();
      if (options_.primary) options_.primary->note_connected(now);
    }
    if (progress != Progress::failed) return wants_ = progress;
    if (!hosts_.next(why_, silent_)) {
      connection_.reset();
      return progress;
    }
    begin(now);
  }
}

PgConnection::Progress Connecting::step(Monotonic now) {
  if (now >= until_) {
    silent_ = true;
    return fail(connection_->server() + " failed: no answer within " +
                std::to_string(limit_.count()) + " s");
  }
  try {
    if (!greeted_) {
      const auto progress = connect();
      if (progress != Progress::done) return progress;
      if (!send_greeting()) return Progress::done;
      greeted_ = true;
    }
    return greet(now);
  } catch (const PgError& error) {
    return fail(error.what());
  }
}

PgConnection::Progress Connecting::connect() {
  // Called before its socket is ready, PQconnectPoll sends its first packet and waits for the
  // connection.
  pollfd fd{socket(), static_cast<short>(wants_ == Progress::writing ? POLLOUT : POLLIN), 0};
  if (fd.fd >= 0 && poll(&fd, 1, 0) == 0) return wants_;
  const auto progress = connection_->poll_connect();
  return progress == Progress::failed ? fail(connection_->error()) : progress;
}

// What the session needs and the question to the primary, in one round trip. False: there is
// nothing to be said.
bool Connecting::send_greeting() {
  auto script = session_;
  question_ = options_.primary ? options_.primary->question() : "";
  if (!script.empty() && !question_.empty()) script += "; ";
  script += question_;
  if (script.empty()) return false;
  if (!connection_->send_script(script)) throw PgError(connection_->error(), "", true);
  return true;
}

// Nothing may run without what the greeting sets: a server that refuses it cannot be used.
PgConnection::Progress Connecting::greet(Monotonic now) {
  switch (connection_->flush()) {
    case Progress::writing: return Progress::writing;
    case Progress::done: break;
    default: return fail(connection_->error());
  }
  if (!connection_->consume()) return fail(connection_->error());
  for (;;) {
    if (connection_->busy()) return Progress::reading;
    try {
      auto result = connection_->next();
      if (!result) break;
      last_ = std::move(result);
    } catch (const PgError& error) {
      if (error.sqlstate().empty()) throw;
      refused_ = error;
    }
  }
  return answered(now);
}

// The greeting was answered in full.
PgConnection::Progress Connecting::answered(Monotonic now) {
  const auto last = std::exchange(last_, std::nullopt);
  const auto refused = std::exchange(refused_, std::nullopt);
  if (refused) {
    if (!options_.primary ||
        !options_.primary->ask_less(question_, refused->sqlstate(), refused->what())) {
      return fail(refused->what());
    }
    if (!send_greeting()) return Progress::done;
    return Progress::writing;
  }
  if (!question_.empty()) connection_->take_answer(last.value(), now);
  return Progress::done;
}

PgConnection::Progress Connecting::fail(std::string why) {
  why_ = std::move(why);
  return Progress::failed;
}

PgConnection Connecting::take() { return std::move(*std::exchange(connection_, std::nullopt)); }

PgConnection PgConnection::connect(const Options& options) {
  Connecting attempt(options, Clock::now());
  for (;;) {
    const auto progress = attempt.drive(Clock::now());
    if (progress == Progress::done) return attempt.take();
    if (progress == Progress::failed) throw PgError(attempt.error(), "", true);
    pollfd fd{attempt.socket(),
              static_cast<short>(progress == Progress::writing ? POLLOUT : POLLIN), 0};
    const auto rest = std::chrono::ceil<Milliseconds>(attempt.until() - Clock::now());
    poll(&fd, 1, std::max(0, static_cast<int>(rest.count())));
  }
}

}  // namespace postern::db
