// The steps of a move at either end, each a transaction of its own; what makes the next one right
// whenever the command, or a server, ends between two.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>

#include "db/move/ends.h"

namespace postern::db {

// At the source, first: the move is known there. Throws MoveRefused when the tenant is not here.
void begin_at_source(Ends& ends, const Uuid& id);
// At the target: the tenant arrives, `rounds` being the source's. Throws MoveRefused when it is on
// its way there already.
void begin_at_target(Ends& ends, const Uuid& id, Time created_at, std::int64_t rounds);
// Notes at each end that knows of a move which server the other end has now.
void note_servers(Ends& ends);
// The target has no rows of the tenant, but for keys that a tenant left behind when it moved away.
// Without a row in postern.move API keys are not counted.
bool is_empty(Ends& ends);
// Undoes both, and throws MoveRefused, when the target has rows of the tenant. REQUIRES: nothing
// was copied yet, every handler of the target knows that the tenant arrives, and the target's
// triggers refuse its rows.
void check_is_empty(Ends& ends, const Uuid& id);

// Makes all triggers at one end what the tenants' states ask for, which waits for transactions that
// have written rows of the tables. Others wait for it 20 ms at a time; throws MoveRefused, with
// what is in the way, when one was not to be had within a minute and a half.
void fence(PgConnection& connection);
// The same, and takes away those that have nothing to do, if that can be had soon, and what they
// have noted of a tenant that does not leave. Each way ends with it at both ends, and begins with
// it where an earlier call may have been interrupted before it.
void settle_fences(PgConnection& connection, const std::string& tenant);
// Takes away the triggers at one end that have nothing to do, if that can be had soon.
void drop_fences(PgConnection& connection);

// At the source; throws MoveRefused when the tenant is in none of the states `from`. `here` tells
// the schedulers.
void set_state(Ends& ends, TenantState to, std::initializer_list<TenantState> from);
// Tells the schedulers, behind a change of the tenant's state: what was held back is asked for
// again.
void tell_schedulers(PgConnection& connection);
// Waits until no transaction that has written rows of the tenant is open at the source any more,
// whose tenant is fenced. Throws MoveRefused, with who is in the way, when one is after `until`.
void wait_for_writers(Ends& ends, std::chrono::steady_clock::time_point until);
void copied_at_target(Ends& ends, const Uuid& id);
// The target takes no arrival of this move any more, and what was copied is to be deleted.
void undo_at_target(Ends& ends, const Uuid& id);
// The same of an arrival of which nothing was copied: the tenant is there as before, with what an
// application has written meanwhile.
void take_back_arrival(Ends& ends, const Uuid& id);
// Safe to repeat: settles the fences even when the move's row is gone.
void undo_at_source(PgConnection& source, const std::string& tenant, const Uuid& id);
// The tenant, which has left, is at the source again, with what was not deleted since: its webhook
// secret is a new one when that was, each blocked task is looked at again, since what was to
// release it may be gone, and idempotency keys of tasks that are gone have ended. Before
// undo_at_source.
void return_to_source(PgConnection& source, const std::string& tenant, const Uuid& id);
// REQUIRES: the tenant is here at the target. What it has left is to be deleted from now on.
void left_source(Ends& ends, const Uuid& id);
// At the source, by an arrival there: the move that brought the tenant is no more.
void forget_arrival(Ends& ends, const Uuid& id);
// Behind delete_remains: ends the moves of these ids at both ends, first at the source, for good:
// the target is asked as long as the source has something to delete.
void end_move(Ends& ends, const Uuid& at_source, const Uuid& at_target);

// The attempts under way at the source, but for deferred ones.
std::int64_t attempts_under_way(Ends& ends);

// The sequences' last values at the source: of TaskMQ's numbers, and of the order in keys.
struct Sequences {
  std::int64_t job_id = 0, key_seq = 0;
};
Sequences source_sequences(Ends& ends);
// Raises those of the target to these, if they are below.
void raise_sequences(Ends& ends, const Sequences& to);

// Throws MoveRefused while the tenant has working API keys of operators: who made them was an
// operator of the source alone.
void refuse_operator_keys(Ends& ends);

// The roles that enqueue for the tenant at the source, by the SQL door.
std::vector<std::string> roles_of_tenant(Ends& ends);

}  // namespace postern::db
