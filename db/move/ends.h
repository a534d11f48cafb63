// The two databases of a move, and what is true of each.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/uuid.h"
#include "db/catalog/placement.h"
#include "db/pg/connection.h"
#include "db/pg/primary.h"

namespace postern::db {

// What is to be done about a move that does not go on.
enum class Refusal {
  later,       // call it again: it goes on, or begins anew
  impossible,  // not as things are, however often it is called: its text says what is in the way
  look_first,  // an operator looks, and does what its text says: another call may do harm
};

// What was asked for cannot be, or not now: its text is a sentence, which does not say that it may
// be called later.
class MoveRefused : public std::runtime_error {
 public:
  template <class... Args>
  MoveRefused(Refusal refusal, fmt::format_string<Args...> sentence, Args&&... args)
      : std::runtime_error(fmt::format(sentence, std::forward<Args>(args)...)), kind(refusal) {}

  const Refusal kind;
};

// Both connections are those of postern_operator, or of who has its rights, and may write. Each
// commit waits for the synchronous standby, whatever the role's settings say. Throws PgError, and
// MoveRefused for one that leads through a pooler.
struct Ends {
  Ends(PgConnection from, PgConnection to, std::string of_tenant, std::string from_cell,
       std::string to_cell, std::string to_url);

  PgConnection source;
  PgConnection target;
  std::string tenant;
  std::string source_cell;  // labels
  std::string target_cell;
  std::string target_url;  // the target's public_url
  const KnownPrimary source_server;
  const KnownPrimary target_server;
  std::optional<std::chrono::steady_clock::time_point> until;  // see InTime

  // "postern.task (id, lease, ...)": the columns in the source's order, without a generated `id`.
  std::string into(const std::string& table);
  // "id, lease, ...".
  const std::string& columns(const std::string& table);

 private:
  std::map<std::string, std::string> columns_;
};

// While it lives, what both ends are asked is over at that time, or ends with a PgError (is_busy).
class InTime {
 public:
  InTime(Ends& ends, std::chrono::steady_clock::time_point until);
  ~InTime();
  InTime(const InTime&) = delete;
  InTime& operator=(const InTime&) = delete;

 private:
  Ends& ends_;
};
// Says to both ends how much of that time is left, which each statement from now on may take:
// before any that may take long. Throws that PgError when none is. Outside of InTime it does
// nothing.
void limit(Ends& ends);

// 'it''s': a text as SQL spells it, for COPY, which takes no parameters.
std::string quoted(std::string_view text);

// What of a move is under way, or has been done, at one end. The source knows copying and deleting.
enum class MoveStep { copying, copied, arrived, deleting, undoing };
std::string_view name(MoveStep step);
// Throws std::runtime_error for a word that no step has.
MoveStep move_step(std::string_view word);

// How a move of a tenant stands at one end: the row of postern.move.
struct MoveRow {
  Uuid id;
  bool source = false;
  std::string other;  // the label of the other cell
  MoveStep step = MoveStep::copying;
  std::vector<std::string> place;
  std::int64_t rows = 0;
  std::int64_t rounds = 0;  // see forget_changes
  KnownPrimary met;         // the other end's server
};

struct EndState {
  bool known = false;  // there is such a tenant
  TenantState state = TenantState::here;
  std::string moved_to;
  Time created_at;
  std::optional<MoveRow> move;
};
EndState end_state(PgConnection& connection, const std::string& tenant);

// Of a running server and a database in it: whether two connections lead to the same.
std::string database_identity(PgConnection& connection);

// Throws MoveRefused when the connection to this cell's database leads through a pooler, which
// would keep locks and settings of the session, or give them to others.
void refuse_pooler(PgConnection& connection, const std::string& cell);

// Takes the lock that one move of the tenant holds at each end, for the session. Throws MoveRefused
// when another command has it for some seconds.
void lock_move(PgConnection& connection, const std::string& tenant);
// At both ends. Throws MoveRefused also when both are the same database.
void lock_both(Ends& ends);

// A snapshot in which several statements read the same; ended by its destructor.
class Snapshot {
 public:
  explicit Snapshot(PgConnection& connection);

 private:
  Transaction transaction_;
};

}  // namespace postern::db
