#include "db/move/evidence.h"

#include "db/move/state.h"
#include "db/pg/standby.h"

namespace postern::db {
namespace {

constexpr int kTries = 3;

void refuse_server(const std::string& cell, const KnownPrimary& now, const KnownPrimary& met) {
  constexpr char kUnlessRight[] =
      "Nothing was done. Call this again when the right server is back; or with --accept, if this "
      "is "
      "the right one, as after a restore or an upgrade";
  if (met.system != 0 && now.system != 0 && met.system != now.system) {
    throw MoveRefused(Refusal::look_first,
                      "the server of the cell {} is system {}, and the move has begun with {}: "
                      "another database. {}",
                      cell, now.system, met.system, kUnlessRight);
  }
  if (now.timeline != 0 && now.timeline < met.timeline) {
    throw MoveRefused(Refusal::look_first,
                      "the server of the cell {} is on timeline {}, and the move has seen {}: a "
                      "former primary, whose writes would be lost. {}",
                      cell, now.timeline, met.timeline, kUnlessRight);
  }
}

}  // namespace

bool arrived(const EndState& target, const Uuid& id) {
  return arrived(target) && target.move->id == id;
}

bool arrived(const EndState& end) { return end.move && end.move->step == MoveStep::arrived; }

bool has_left(const EndState& source) {
  return source.move && source.move->step == MoveStep::deleting;
}

void check_is_ours(const Ends& ends, const EndState& source, const EndState& target) {
  if (source.move && (!source.move->source || source.move->other != ends.target_cell)) {
    throw MoveRefused(Refusal::impossible,
                      "another move of the tenant {} is under way, {} the cell {}", ends.tenant,
                      source.move->source ? "to" : "from", source.move->other);
  }
  if (target.move && (target.move->source || target.move->other != ends.source_cell)) {
    throw MoveRefused(Refusal::impossible,
                      "in the cell {} another move of the tenant {} is under way, {} the cell {}",
                      ends.target_cell, ends.tenant, target.move->source ? "to" : "from",
                      target.move->other);
  }
}

void refuse_unknown_arrival(const Ends& ends, const EndState& source, const EndState& target) {
  if (!arrived(target)) return;
  if (source.state == TenantState::moved || (source.move && arrived(target, source.move->id))) {
    return;
  }
  throw MoveRefused(Refusal::look_first,
                    "the tenant {0} has arrived in the cell {1} by a move that the cell {2} does "
                    "not know, as when {2} was restored from an older backup. Nothing was done. If "
                    "that is so, `--gone` deletes what {2} has of it and ends the move. If it was "
                    "undone here while {1} was away, {2} is where it goes on: on a host of {1}, "
                    "`postern tenant move {0} --to {2} --gone --accept` deletes what {1} has",
                    ends.tenant, ends.target_cell, ends.source_cell);
}

void refuse_servers(const Ends& ends, const EndState& source, const EndState& target) {
  if (target.move) refuse_server(ends.source_cell, ends.source_server, target.move->met);
  if (source.move) refuse_server(ends.target_cell, ends.target_server, source.move->met);
}

void check_arrival(Ends& ends, const Uuid& id, bool accept) {
  const auto target = end_state(ends.target, ends.tenant);
  if (target.state == TenantState::here && target.known &&
      (arrived(target, id) || (accept && !target.move && !is_empty(ends)))) {
    return;
  }
  throw MoveRefused(Refusal::look_first,
                    "the database of the cell {0} does not know that the tenant has arrived there, "
                    "as after a restore, or when another server has taken over that had not all: "
                    "what is left in the cell {1} is kept. {2}. If the tenant's tasks are lost "
                    "there for good, --undo --accept lets the cell {1} go on with what it has",
                    ends.target_cell, ends.source_cell,
                    target.state == TenantState::here && target.known && !target.move
                        ? "If the tenant's tasks are there, call this again with --accept, which "
                          "deletes them here"
                        : "Call this again when the right server is back");
}

void wait_for_target(Ends& ends) {
  for (int tries = 0; tries < kTries; ++tries) {
    if (wait_for_standby(ends.target)) return;
  }
  throw MoveRefused(Refusal::later,
                    "the target's synchronous standby has not confirmed that the tenant has "
                    "arrived: its wait was cancelled. What is at the source is kept");
}

void hold_arrival(Ends& ends, const Uuid& id, bool accept) {
  check_arrival(ends, id, accept);
  wait_for_target(ends);
}

}  // namespace postern::db
