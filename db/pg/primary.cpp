#include "db/pg/primary.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "db/pg/connection.h"

namespace postern::db {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Seconds kRefusalEvery{30};

// A WAL file's name begins with the timeline, in eight hexadecimal digits. A standby has none.
constexpr char kTimeline[] =
    "CASE WHEN NOT pg_catalog.pg_is_in_recovery() "
    "THEN pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END AS wal_file";
constexpr char kSystem[] =
    "(SELECT c.system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system() c) AS system";

// How much is asked: the timeline and the system, the timeline, nothing.
constexpr int kAll = 2;

std::string question_of(int depth) {
  if (depth == 0) return "";
  return std::string("SELECT ") + kTimeline + ", " + (depth == kAll ? kSystem : "NULL AS system");
}

// Access rules, undefined objects; features that are not supported, as in clones of PostgreSQL.
bool is_untold(const std::string& sqlstate) {
  return sqlstate.starts_with("42") || sqlstate.starts_with("0A");
}

template <class Number>
Number number(std::string_view text, int base) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

KnownPrimary read(const PgResult& answer) {
  KnownPrimary out;
  out.timeline = number<std::int64_t>(answer.text(0, answer.column("wal_file")).substr(0, 8), 16);
  out.system = number<std::int64_t>(answer.text(0, answer.column("system")), 10);
  return out;
}

}  // namespace

KnownPrimary primary_of(PgConnection& connection) {
  for (int depth = kAll; depth > 0; --depth) {
    try {
      return read(connection.exec({"", question_of(depth).c_str()}));
    } catch (const PgError& error) {
      if (!is_untold(error.sqlstate())) throw;
    }
  }
  return {};
}

Primary::Primary(std::string folder, Tell tell)
    : of_command_(false), folder_(std::move(folder)), tell_(std::move(tell)), depth_(kAll) {}

Primary::Primary(std::vector<std::string> folders, Tell tell)
    : of_command_(true), folders_(std::move(folders)), tell_(std::move(tell)), depth_(kAll) {}

std::string Primary::question() const { return question_of(depth_); }

bool Primary::ask_less(const std::string& asked, const std::string& sqlstate,
                       const std::string& why) {
  if (!is_untold(sqlstate)) return false;
  int depth = depth_;
  // Another connection was refused the same before: the rest has been refused to nobody yet.
  if (asked != question_of(depth)) return true;
  if (depth == 0) {
    depth_ = kAll;  // nothing was asked any more: it was the session's settings that were refused
    return false;
  }
  if (!depth_.compare_exchange_strong(depth, depth - 1)) return true;
  tell_("unjudged",
        (depth == kAll
             ? "another database than the one known is not noticed, because the server does "
               "not tell its system identifier: "
             : "a former primary is not noticed, because the server does not tell its "
               "timeline: ") +
            why);
  return true;
}

// The file wins when an operator has accepted another primary since; otherwise who has seen more.
void Primary::take_in_file() {
  if (folder_.empty()) return;
  try {
    const auto file = read_primary(folder_);
    if (!file) return;
    const bool accepted = file->accepted > known_.accepted;
    const bool more = file->accepted == known_.accepted &&
                      (known_.system == 0 || file->system == known_.system) &&
                      file->timeline > known_.timeline;
    if (!accepted && !more) return;
    if (known_.timeline != 0) {
      ++generation_;
      news_.emplace_back("changed",
                         fmt::format("{} timeline {} of system {}",
                                     accepted ? "an operator accepted" : "another program has seen",
                                     file->timeline, file->system));
    }
    known_ = *file;
  } catch (const std::exception& error) {
    if (std::exchange(kept_, false)) news_.emplace_back("unkept", error.what());
  }
}

void Primary::learn(const KnownPrimary& now) {
  if (known_.timeline != 0 && now.timeline > known_.timeline) {
    ++generation_;
    news_.emplace_back("changed", fmt::format("the primary is on timeline {} now, after {}",
                                              now.timeline, known_.timeline));
  }
  known_.timeline = now.timeline;
  if (now.system != 0) known_.system = now.system;
  if (folder_.empty()) return;
  try {
    if (read_primary(folder_) == known_) return;
  } catch (const std::exception&) {
    // It is replaced.
  }
  try {
    write_primary(folder_, known_);
    kept_ = true;
  } catch (const std::exception& error) {
    if (std::exchange(kept_, false)) news_.emplace_back("unkept", error.what());
  }
}

// Why the server is not to be used; empty: it is.
std::string Primary::refusal(const KnownPrimary& now) const {
  const std::string accept =
      ". If it is the right one, as after a restore or an upgrade: postern cell accept";
  if (known_.system != 0 && now.system != 0 && known_.system != now.system) {
    return fmt::format("this is system {}, and {} with {}: another database", now.system,
                       of_command_ ? "this command has begun" : "the programs work",
                       known_.system) +
           (of_command_ ? "" : accept);
  }
  const auto former = [&](const std::string& who, std::int64_t seen) {
    return fmt::format(
        "this server is on timeline {}, and {} seen {}: a former primary, whose writes would be "
        "lost",
        now.timeline, who, seen);
  };
  if (now.timeline < known_.timeline) {
    return of_command_ ? former("this command has", known_.timeline)
                       : former("the programs have", known_.timeline) + accept;
  }
  for (const auto& folder : folders_) {
    std::optional<KnownPrimary> host;
    try {
      host = read_primary(folder);
    } catch (const std::exception&) {
      continue;  // not for this user, or damaged, as the doctor says
    }
    if (host && host->system == now.system && host->timeline > now.timeline) {
      return former(fmt::format("the programs of this host (by {}) have", primary_path(folder)),
                    host->timeline) +
             accept;
    }
  }
  return "";
}

std::uint64_t Primary::judge(const PgResult& answer) {
  const auto now = read(answer);
  if (now.timeline == 0) return generation_;  // a standby, which takes no writes
  std::string why;
  std::uint64_t generation = 0;
  std::vector<std::pair<const char*, std::string>> news;
  {
    const std::lock_guard lock(mutex_);
    take_in_file();
    why = refusal(now);
    if (why.empty()) learn(now);
    const auto at = Clock::now();
    if (!why.empty() && (refusal_told_ == Monotonic{} || at - refusal_told_ > kRefusalEvery)) {
      refusal_told_ = at;
      news_.emplace_back("refused", why);
    }
    news = std::exchange(news_, {});
    generation = generation_;
  }
  for (const auto& [what, sentence] : news) tell_(what, sentence);
  if (!why.empty()) throw PgError(why, "", true);
  return generation;
}

}  // namespace postern::db
