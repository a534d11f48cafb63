#include "db/move/state.h"

#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "core/security/signing.h"
#include "db/move/remains.h"
#include "db/pg/standby.h"

namespace postern::db {
namespace {

constexpr Statement kBeginSource{"move_begin_source", R"sql(
  INSERT INTO postern.move (tenant, id, source, other, step, other_system, other_timeline)
  SELECT name, $2, true, $3, 'copying', $4, $5 FROM postern.tenant WHERE name = $1 AND state = 'here')sql"};

constexpr Statement kExpect{"move_expect", R"sql(
  INSERT INTO postern.tenant AS t (name, created_at, state) VALUES ($1, $2, 'arriving')
  ON CONFLICT (name) DO UPDATE SET state = 'arriving' WHERE t.state = 'moved' OR t.state = 'here')sql"};
// Rows that the tenant has at the target, though nothing was copied there. Keys that a tenant left
// behind when it moved away are none.
constexpr Statement kUsed{"", R"sql(
  SELECT count(*) FROM (
    SELECT FROM postern.task WHERE tenant = $1 UNION ALL SELECT FROM postern.task_finished WHERE tenant = $1
    UNION ALL SELECT FROM postern.queue WHERE tenant = $1 UNION ALL SELECT FROM postern.endpoint WHERE tenant = $1
    UNION ALL SELECT FROM postern.schedule WHERE tenant = $1 UNION ALL SELECT FROM postern.idempotency_key WHERE tenant = $1
    UNION ALL SELECT FROM postern.api_key k JOIN postern.move m ON m.tenant = k.tenant
               WHERE k.tenant = $1 AND m.was <> 'moved' AND coalesce(least(k.revoked_at, k.expires_at) > now(), true) LIMIT 1) u)sql"};
constexpr Statement kTakeBack{"move_take_back", R"sql(
  WITH gone AS (DELETE FROM postern.move WHERE tenant = $1 AND id = $2 AND NOT source AND step = 'copying' RETURNING tenant, was),
  back AS (
    UPDATE postern.tenant t SET state = CASE gone.was WHEN 'moved' THEN 'moved' ELSE 'here' END,
                                created_at = CASE gone.was WHEN '' THEN now() ELSE t.created_at END
      FROM gone WHERE t.name = gone.tenant AND t.state = 'arriving' RETURNING t.name, gone.was)
  INSERT INTO postern.tenant_secret (tenant, secret) SELECT name, $3 FROM back WHERE was = '' ON CONFLICT (tenant) DO NOTHING)sql"};
constexpr Statement kWas{"", "SELECT state FROM postern.tenant WHERE name = $1"};
constexpr Statement kBeginTarget{"move_begin_target", R"sql(
  INSERT INTO postern.move (tenant, id, source, other, step, other_system, other_timeline, was, rounds)
  VALUES ($1, $2, false, $3, 'copying', $4, $5, $6, $7))sql"};
// What a server does not tell stays as it was.
constexpr Statement kNoteServer{"move_note_server", R"sql(
  UPDATE postern.move m SET other_system = n.system, other_timeline = n.timeline
    FROM (SELECT coalesce(nullif($2, 0), k.other_system) AS system, coalesce(nullif($3, 0), k.other_timeline) AS timeline
            FROM postern.move k WHERE k.tenant = $1) n
   WHERE m.tenant = $1 AND (m.other_system, m.other_timeline) <> (n.system, n.timeline))sql"};

constexpr Statement kTables{"", "SELECT name FROM postern.fenced_tables() ORDER BY name"};
constexpr Statement kFence{"move_fence", "SELECT postern.move_fence($1, $2)"};

constexpr Statement kSetState{"move_state", R"sql(
  UPDATE postern.tenant SET state = $2 WHERE name = $1 AND state = ANY($3))sql"};
constexpr Statement kBarrier{"move_barrier", "SELECT postern.move_barrier($1)"};
constexpr Statement kWriters{"", "SELECT array_to_string(postern.move_writers($1), ', ')"};
constexpr Statement kTell{"", R"sql(
  SELECT pg_notify('postern_ready', 'limits'), pg_notify('postern_ready', ''))sql"};

constexpr Statement kCopied{"move_copied", R"sql(
  UPDATE postern.move SET step = 'copied', place = '{}', updated_at = now()
   WHERE tenant = $1 AND id = $2 AND NOT source AND step = 'copying')sql"};
constexpr Statement kUndoTarget{"move_undo_target", R"sql(
  UPDATE postern.move SET step = 'undoing', updated_at = now()
   WHERE tenant = $1 AND id = $2 AND NOT source AND step IN ('copying', 'copied', 'undoing'))sql"};
constexpr Statement kUndoSource{"move_undo_source", R"sql(
  WITH ended AS (DELETE FROM postern.move WHERE tenant = $1 AND id = $2 AND source AND step = 'copying' RETURNING tenant)
  UPDATE postern.tenant t SET state = 'here' FROM ended WHERE t.name = ended.tenant AND t.state <> 'moved')sql"};
constexpr Statement kReturn{"move_return", R"sql(
  WITH ended AS (DELETE FROM postern.move WHERE tenant = $1 AND id = $2 AND source AND step = 'deleting' RETURNING tenant)
  UPDATE postern.tenant t SET state = 'here', moved_to = NULL, moved_url = NULL, moved_at = NULL
    FROM ended WHERE t.name = ended.tenant AND t.state = 'moved')sql"};
constexpr Statement kSecret{"move_secret", R"sql(
  INSERT INTO postern.tenant_secret (tenant, secret) VALUES ($1, $2) ON CONFLICT (tenant) DO NOTHING)sql"};
constexpr Statement kWakeBlocked{"move_wake_blocked", R"sql(
  INSERT INTO postern.sequel (task, tenant, queue, key)
  SELECT id, tenant, queue, key FROM postern.task WHERE tenant = $1 AND state = 'blocked' ORDER BY queue, uuid_send(id))sql"};
constexpr Statement kFreeKeys{"move_free_keys", R"sql(
  UPDATE postern.idempotency_key k SET expires_at = now()
   WHERE k.tenant = $1 AND k.expires_at > now() AND NOT EXISTS (SELECT FROM postern.task t WHERE t.id = k.task)
     AND NOT EXISTS (SELECT FROM postern.task_finished f WHERE f.id = k.task))sql"};
constexpr Statement kForgetNotes{"move_forget_notes",
                                 "DELETE FROM postern.move_change WHERE tenant = $1"};
constexpr Statement kForgetStray{"move_forget_stray", R"sql(
  DELETE FROM postern.move_change WHERE tenant = $1 AND NOT EXISTS (SELECT FROM postern.move m WHERE m.tenant = $1 AND m.source))sql"};

constexpr Statement kLeft{"move_left", R"sql(
  WITH gone AS (
    UPDATE postern.tenant SET state = 'moved', moved_to = $3, moved_url = $4, moved_at = now()
     WHERE name = $1 AND state = 'fenced' RETURNING name)
  UPDATE postern.move m SET step = 'deleting', updated_at = now()
    FROM gone WHERE m.tenant = gone.name AND m.id = $2 AND m.source)sql"};
constexpr Statement kEndTarget{
    "move_end_target",
    "DELETE FROM postern.move WHERE tenant = $1 AND id = $2 AND NOT source AND step = 'arrived'"};
constexpr Statement kEndSource{
    "move_end_source",
    "DELETE FROM postern.move WHERE tenant = $1 AND id = $2 AND source AND step = 'deleting'"};

constexpr Statement kAttempts{"", R"sql(
  SELECT count(*) FROM postern.lease WHERE deferred IN (false) AND tenant = $1)sql"};

constexpr Statement kSequences{"", R"sql(
  SELECT coalesce(pg_sequence_last_value('postern.job_id'), 1), coalesce(pg_sequence_last_value('postern.key_seq'), 1))sql"};
constexpr Statement kRaise{"move_raise", "SELECT postern.move_raise($1, $2)"};

constexpr Statement kOperatorKeys{"", R"sql(
  SELECT name FROM postern.api_key WHERE tenant = $1 AND role = 'operator' AND coalesce(least(revoked_at, expires_at) > now(), true)
   ORDER BY name LIMIT 10)sql"};

constexpr Statement kRoles{
    "", "SELECT role::text FROM postern.role_tenant WHERE tenant = $1 ORDER BY 1"};

Params named(const Ends& ends, const Uuid& id) {
  return std::move(Params().text(ends.tenant).uuid(id));
}

// One try for one table. False: others hold it.
bool fence(PgConnection& connection, std::string_view table, bool drop) {
  return connection.exec(kFence, Params().text(table).boolean(drop)).boolean(0, 0);
}

MoveRefused in_the_way(const Ends& ends) {
  return MoveRefused(
      Refusal::impossible,
      "the cell {} has a tenant {} already, with tasks, queues, endpoints, schedules or keys that "
      "work: nothing was changed. Of one that nobody uses, delete them and revoke its keys",
      ends.target_cell, ends.tenant);
}

}  // namespace

void begin_at_source(Ends& ends, const Uuid& id) {
  const auto made = ends.source
                        .exec(kBeginSource, named(ends, id)
                                                .text(ends.target_cell)
                                                .int8(ends.target_server.system)
                                                .int8(ends.target_server.timeline))
                        .affected();
  if (made == 0) {
    throw MoveRefused(Refusal::impossible, "the tenant {} is not in the cell {}", ends.tenant,
                      ends.source_cell);
  }
}

void begin_at_target(Ends& ends, const Uuid& id, Time created_at, std::int64_t rounds) {
  Transaction transaction(ends.target);
  const auto found = ends.target.exec(kWas, Params().text(ends.tenant));
  const std::string was(found.rows() == 0 ? std::string_view() : found.text(0, 0));
  if (ends.target.exec(kExpect, Params().text(ends.tenant).time(created_at)).affected() == 0) {
    throw MoveRefused(Refusal::impossible, "the cell {} has a tenant {} that is on its way",
                      ends.target_cell, ends.tenant);
  }
  ends.target.exec(kBeginTarget, named(ends, id)
                                     .text(ends.source_cell)
                                     .int8(ends.source_server.system)
                                     .int8(ends.source_server.timeline)
                                     .text(was)
                                     .int8(rounds));
  if (!is_empty(ends)) throw in_the_way(ends);
  transaction.commit();
}

void note_servers(Ends& ends) {
  const auto note = [&](PgConnection& at, const KnownPrimary& other) {
    at.exec(kNoteServer, Params().text(ends.tenant).int8(other.system).int8(other.timeline));
  };
  note(ends.source, ends.target_server);
  note(ends.target, ends.source_server);
}

bool is_empty(Ends& ends) {
  return ends.target.exec(kUsed, Params().text(ends.tenant)).integer(0, 0) == 0;
}

void check_is_empty(Ends& ends, const Uuid& id) {
  if (is_empty(ends)) return;
  take_back_arrival(ends, id);
  settle_fences(ends.target, ends.tenant);
  undo_at_source(ends.source, ends.tenant, id);
  throw in_the_way(ends);
}

void fence(PgConnection& connection) {
  using namespace std::chrono_literals;
  const auto tables = connection.exec(kTables);
  for (int i = 0; i < tables.rows(); ++i) {
    // Each rest is longer than the one before, since others stand behind each try.
    auto rest = 100ms;
    while (!fence(connection, tables.text(i, 0), false)) {
      if (rest > 30s) {
        throw MoveRefused(Refusal::later,
                          "the table postern.{} is locked by others for longer than a minute: by a "
                          "vacuum, or a transaction that does not end (pg_locks has it)",
                          tables.text(i, 0));
      }
      std::this_thread::sleep_for(rest);
      rest = rest * 3 / 2;
    }
  }
}

void settle_fences(PgConnection& connection, const std::string& tenant) {
  fence(connection);
  connection.exec(kForgetStray, Params().text(tenant));
  drop_fences(connection);
}

void drop_fences(PgConnection& connection) {
  using namespace std::chrono_literals;
  constexpr int kTries = 3;  // those that stay cost little, and the next move takes them away
  const auto tables = connection.exec(kTables);
  for (int i = 0; i < tables.rows(); ++i) {
    for (int tries = 0; tries < kTries && !fence(connection, tables.text(i, 0), true); ++tries) {
      std::this_thread::sleep_for(100ms);
    }
  }
}

void set_state(Ends& ends, TenantState to, std::initializer_list<TenantState> from) {
  Array expected(Oid::text);
  for (const auto state : from) expected.text(name(state));
  Transaction transaction(ends.source);
  ends.source.exec({"", "SET LOCAL lock_timeout = '2s'"});  // deliveries may rest meanwhile
  const auto changed =
      ends.source.exec(kSetState, Params().text(ends.tenant).text(name(to)).array(expected))
          .affected();
  if (changed == 0) {
    throw MoveRefused(
        Refusal::later,
        "the tenant {} is in another state than this move expects; another command is at it",
        ends.tenant);
  }
  if (to == TenantState::here) tell_schedulers(ends.source);
  transaction.commit();
}

void tell_schedulers(PgConnection& connection) { connection.exec(kTell); }

void wait_for_writers(Ends& ends, std::chrono::steady_clock::time_point until) {
  while (!ends.source.exec(kBarrier, Params().text(ends.tenant)).boolean(0, 0)) {
    if (std::chrono::steady_clock::now() < until) continue;
    const auto rows = ends.source.exec(kWriters, Params().text(ends.tenant));
    throw MoveRefused(Refusal::later,
                      "transactions that have written rows of the tenant do not end: those of the "
                      "processes {} of the source's database server",
                      rows.text(0, 0));
  }
}

void copied_at_target(Ends& ends, const Uuid& id) { ends.target.exec(kCopied, named(ends, id)); }

void undo_at_target(Ends& ends, const Uuid& id) {
  if (ends.target.exec(kUndoTarget, named(ends, id)).affected() == 0) {
    throw MoveRefused(Refusal::impossible,
                      "the target has taken over meanwhile: end the move without --undo");
  }
}

void take_back_arrival(Ends& ends, const Uuid& id) {
  Transaction transaction(ends.target);
  if (is_empty(ends)) {
    undo_at_target(ends, id);
    leave_target(ends.target, ends.tenant, id);
  } else {
    ends.target.exec(kTakeBack, named(ends, id).text(make_webhook_secret()));
  }
  transaction.commit();
}

void undo_at_source(PgConnection& source, const std::string& tenant, const Uuid& id) {
  source.exec(kUndoSource, Params().text(tenant).uuid(id));
  tell_schedulers(source);
  settle_fences(source, tenant);
}

void return_to_source(PgConnection& source, const std::string& tenant, const Uuid& id) {
  Transaction transaction(source);
  if (source.exec(kReturn, Params().text(tenant).uuid(id)).affected() == 0) {
    throw MoveRefused(Refusal::later, "the source is in another state than this move left it in");
  }
  source.exec(kSecret, Params().text(tenant).text(make_webhook_secret()));
  source.exec(kWakeBlocked, Params().text(tenant));
  source.exec(kFreeKeys, Params().text(tenant));
  tell_schedulers(source);
  transaction.commit();
}

void left_source(Ends& ends, const Uuid& id) {
  const auto left =
      ends.source.exec(kLeft, named(ends, id).text(ends.target_cell).text(ends.target_url));
  if (left.affected() == 0)
    throw MoveRefused(Refusal::later, "the source is in another state than this move left it in");
}

void forget_arrival(Ends& ends, const Uuid& id) { ends.source.exec(kEndTarget, named(ends, id)); }

void end_move(Ends& ends, const Uuid& at_source, const Uuid& at_target) {
  ends.source.exec(kForgetNotes, Params().text(ends.tenant));
  ends.source.exec(kEndSource, named(ends, at_source));
  if (!wait_for_standby(ends.source)) {
    throw MoveRefused(Refusal::later, "the source's standby has not confirmed the end of the move");
  }
  ends.target.exec(kEndTarget, named(ends, at_target));
}

std::int64_t attempts_under_way(Ends& ends) {
  return ends.source.exec(kAttempts, Params().text(ends.tenant)).integer(0, 0);
}

Sequences source_sequences(Ends& ends) {
  const auto rows = ends.source.exec(kSequences);
  return {rows.integer(0, 0), rows.integer(0, 1)};
}

void raise_sequences(Ends& ends, const Sequences& to) {
  ends.target.exec(kRaise, Params().int8(to.job_id).int8(to.key_seq));
}

void refuse_operator_keys(Ends& ends) {
  const auto rows = ends.source.exec(kOperatorKeys, Params().text(ends.tenant));
  if (rows.rows() == 0) return;
  std::vector<std::string_view> names;
  names.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) names.push_back(rows.text(i, 0));
  throw MoveRefused(
      Refusal::impossible,
      "the tenant {} has API keys with the role operator, which would work over all tenants of the "
      "cell {}: {}. Revoke them (`postern key revoke`), and make others for a tenant that stays",
      ends.tenant, ends.target_cell, fmt::join(names, ", "));
}

std::vector<std::string> roles_of_tenant(Ends& ends) {
  const auto rows = ends.source.exec(kRoles, Params().text(ends.tenant));
  std::vector<std::string> out;
  out.reserve(static_cast<std::size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) out.emplace_back(rows.text(i, 0));
  return out;
}

}  // namespace postern::db
