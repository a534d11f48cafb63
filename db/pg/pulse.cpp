#include "db/pg/pulse.h"

#include "db/pg/login.h"

namespace postern::db {

// Any answer will do, be it that there are too many connections. Nothing is asked for that a
// PgBouncer would have to wait for.
Pulse::Pulse(const PgConnection::Options& options, Monotonic since)
    : options_(options), next_(since + kSilence) {
  options_.program += " pulse";
  options_.session = {};
  options_.primary.reset();
  options_.need_writable = false;
  try {
    options_.conninfo = conninfo_with(options_.conninfo, {{"target_session_attrs", ""}});
  } catch (const PgError&) {
    // A plain name of a database, which says nothing of the kind.
  }
}

bool Pulse::beats(Monotonic now) {
  if (!connecting_) {
    if (now < next_) return true;
    connecting_.emplace(options_, now);
  }
  const auto progress = connecting_->drive(now);
  if (progress != PgConnection::Progress::done && progress != PgConnection::Progress::failed) {
    return true;
  }
  const bool silent = connecting_->silent();
  connecting_.reset();
  next_ = now + kSilence;
  return !silent;
}

}  // namespace postern::db
