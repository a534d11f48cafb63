#include "db/move/move.h"

#include <chrono>
#include <thread>

#include "db/move/bulk.h"
#include "db/move/changes.h"
#include "db/move/check.h"
#include "db/move/evidence.h"
#include "db/move/pause.h"
#include "db/move/remains.h"
#include "db/move/state.h"
#include "db/move/whole.h"

namespace postern::db {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Whatever the tenant has at the target is an application's.
bool nothing_copied(const MoveRow& target) {
  return target.step == MoveStep::copying && target.place.empty();
}

// The target takes no arrival of this move any more.
void refuse_arrival(Ends& ends, const MoveRow& target) {
  if (nothing_copied(target)) {
    take_back_arrival(ends, target.id);
  } else {
    undo_at_target(ends, target.id);
  }
}

// Behind refuse_arrival.
void clean_target(Ends& ends, const MoveRow& target, const MoveTold& told) {
  if (!nothing_copied(target)) {
    delete_remains(ends.target, ends.tenant,
                   [&](std::int64_t rows) { told("deleting what had been copied", rows); });
    leave_target(ends.target, ends.tenant, target.id);
  }
  settle_fences(ends.target, ends.tenant);
}

// What is at the target is of no use: it is of a move that was undone at the source, or its server
// has lost commits that the source has relied on.
bool is_useless(const MoveRow& source, const MoveRow& target) {
  return target.id != source.id || target.rounds < source.rounds;
}

// Both ends know the move, and the source notes changes. Returns its id; nullopt: the tenant has
// moved, and nothing is left to be done.
std::optional<Uuid> begin(Ends& ends, const MoveOptions& options, const MoveTold& told) {
  auto source = end_state(ends.source, ends.tenant);
  auto target = end_state(ends.target, ends.tenant);
  check_is_ours(ends, source, target);
  if (!options.accept) refuse_servers(ends, source, target);
  refuse_unknown_arrival(ends, source, target);
  if (!source.known) {
    throw MoveRefused(Refusal::impossible, "the cell {} has no tenant {}", ends.source_cell,
                      ends.tenant);
  }
  note_servers(ends);
  if (source.state == TenantState::moved && !source.move) {
    if (arrived(target)) {
      end_move(ends, target.move->id, target.move->id);
      return std::nullopt;
    }
    throw MoveRefused(Refusal::impossible, "the tenant {} has moved to the cell {} already",
                      ends.tenant, source.moved_to);
  }
  if (target.move && target.move->step == MoveStep::undoing) {
    clean_target(ends, *target.move, told);
    target = end_state(ends.target, ends.tenant);
  }
  const Uuid id = source.move ? source.move->id : random_uuid();
  if (arrived(target, id) || has_left(source)) return id;
  if (!source.move) {
    refuse_operator_keys(ends);
    refuse_many_whole(ends, "now");
    begin_at_source(ends, id);
  }
  // An earlier call may have ended in its pause.
  if (source.state != TenantState::here) open_again(ends, id);
  source = end_state(ends.source, ends.tenant);
  if (target.move && is_useless(source.move.value(), *target.move)) {
    told("the target has lost what was copied: copying it again", -1);
    refuse_arrival(ends, *target.move);
    clean_target(ends, *target.move, told);
    target = end_state(ends.target, ends.tenant);
  }
  told("preparing", -1);
  if (!target.move) {
    try {
      begin_at_target(ends, id, source.created_at, source.move->rounds);
    } catch (const MoveRefused&) {
      undo_at_source(ends.source, ends.tenant, id);
      settle_fences(ends.target, ends.tenant);
      throw;
    }
  }
  fence(ends.source);
  const auto arriving = end_state(ends.target, ends.tenant).move;
  if (!arriving || arriving->step != MoveStep::copying) return id;
  // Takes away triggers of an earlier move there, which would note each row that comes, and makes
  // those that let nobody else write the tenant's rows, which waits for who has written before.
  settle_fences(ends.target, ends.tenant);
  if (arriving->place.empty()) {
    std::this_thread::sleep_for(kHandlersKnow);
    check_is_empty(ends, id);
    forget_minutes(ends);
  }
  return id;
}

void copy_all(MoveCall& call) {
  auto& ends = call.ends;
  const auto before = end_state(ends.target, ends.tenant).move;
  if (!before || before->step != MoveStep::copying) return;
  copy_sections(ends, call.id, [&](const std::string& section, std::int64_t rows) {
    call.told("copying " + section, rows);
    call.result.rows = rows - before->rows;
  });
  copied_at_target(ends, call.id);
}

// The target has taken over. A source that does not know it is fenced any more, since its server
// has lost its last commits, may have gone on.
std::int64_t fence_again(Ends& ends) {
  if (end_state(ends.source, ends.tenant).state == TenantState::fenced) return 0;
  set_state(ends, TenantState::fenced, {TenantState::here, TenantState::draining});
  wait_for_writers(ends, Clock::now() + 60s);
  return noted_changes(ends, 1'000'000);
}

// Throws MoveRefused unless the source, which has given the tenant up, may take it back: the target
// has not got it, nor led it on.
void refuse_return(Ends& ends, const EndState& target, bool accept) {
  if (!accept) {
    throw MoveRefused(Refusal::look_first,
                      "the tenant {0} has left for the cell {1}, whose database does not know that "
                      "it has arrived, as after a restore, or when another server has taken over "
                      "that had not all. Call the move again when the right server is back; or "
                      "this with --accept, if that is lost for good: the cell {2} goes on with "
                      "what it has not deleted",
                      ends.tenant, ends.target_cell, ends.source_cell);
  }
  if (target.state == TenantState::here && !target.move && !is_empty(ends)) {
    throw MoveRefused(Refusal::look_first,
                      "the cell {0} does not know that the tenant {1} has arrived, but has rows of "
                      "one of that name. If they are those that were moved, end the move by "
                      "--accept without --undo. If they came only after the arrival was lost, "
                      "stop its clients, let its tasks there end, and delete what is left of it "
                      "first",
                      ends.target_cell, ends.tenant);
  }
  if (target.state == TenantState::moved && !target.move && target.moved_to != ends.source_cell) {
    throw MoveRefused(Refusal::look_first,
                      "the tenant {} has arrived in the cell {}, and moved on from there to the "
                      "cell {}",
                      ends.tenant, ends.target_cell, target.moved_to);
  }
}

}  // namespace

MoveResult move_tenant(Ends& ends, const MoveOptions& options, const MoveTold& told) {
  MoveCall call{ends, options, told};
  auto& result = call.result;
  lock_both(ends);
  const auto begun = begin(ends, options, told);
  if (!begun) return result;
  const Uuid id = call.id = *begun;
  const bool left = has_left(end_state(ends.source, ends.tenant));
  if (!left && !arrived(end_state(ends.target, ends.tenant), id)) {
    copy_all(call);
    catch_up_rounds(ends, told);
    told("comparing", -1);
    result.compared = compare_ends(ends);
    pause_and_switch(call);
  }
  // As long as the source is fenced, a target that loses the arrival is no harm: the source goes
  // on.
  told("waiting for the target's standby", -1);
  hold_arrival(ends, id, options.accept);
  if (!left) {
    const auto lost = fence_again(ends);
    left_source(ends, id);
    if (lost > 0) {
      throw MoveRefused(Refusal::look_first,
                        "the source had gone on after the target took over, as its server has lost "
                        "its last commits: {} changes in it (postern.move_change) are not in the "
                        "target. Nothing is deleted; calling this again deletes them",
                        lost);
    }
  }
  drop_fences(ends.target);  // it writes there by itself now
  check_arrival(ends, id, options.accept);
  result.deleted = delete_remains(ends.source, ends.tenant, [&](std::int64_t rows) {
    told("deleting what is left at the source", rows);
    check_arrival(ends, id, options.accept);
  });
  end_move(ends, id, id);
  return result;
}

void undo_move(Ends& ends, bool accept, const MoveTold& told) {
  lock_both(ends);
  const auto source = end_state(ends.source, ends.tenant);
  const auto target = end_state(ends.target, ends.tenant);
  check_is_ours(ends, source, target);
  if (!source.move && !target.move) {
    for (auto* end : {&ends.source, &ends.target}) settle_fences(*end, ends.tenant);
    throw MoveRefused(Refusal::impossible, "no move of the tenant {} is under way", ends.tenant);
  }
  if (!accept) refuse_servers(ends, source, target);
  refuse_unknown_arrival(ends, source, target);
  note_servers(ends);
  if (arrived(target)) {
    throw MoveRefused(Refusal::impossible,
                      "the tenant {} is in the cell {} already: end the move by the same command "
                      "without --undo, and then move it back",
                      ends.tenant, ends.target_cell);
  }
  if (has_left(source)) refuse_return(ends, target, accept);
  if (target.move) refuse_arrival(ends, *target.move);
  if (has_left(source)) return_to_source(ends.source, ends.tenant, source.move->id);
  undo_at_source(ends.source, ends.tenant, (source.move ? source.move : target.move)->id);
  told("undone at the source", -1);
  if (target.move) clean_target(ends, *target.move, told);
}

bool undo_without_target(PgConnection& source, const std::string& tenant, const std::string& cell,
                         bool accept) {
  lock_move(source, tenant);
  const auto state = end_state(source, tenant);
  if (!state.move || !state.move->source) {
    settle_fences(source, tenant);
    throw MoveRefused(Refusal::impossible, "no move of the tenant {} from here is under way",
                      tenant);
  }
  if (state.move->other != cell) {
    throw MoveRefused(Refusal::impossible,
                      "the move of the tenant {} that is under way goes to the cell {}", tenant,
                      state.move->other);
  }
  if (has_left(state)) {
    throw MoveRefused(Refusal::look_first,
                      "the tenant {0} has left for the cell {1}, whose database cannot be reached: "
                      "call the move again when it can. If it is lost for good, give {1} an empty "
                      "one in its place (`postern migrate`), and call this with --accept",
                      tenant, cell);
  }
  if (state.state == TenantState::fenced && !accept) {
    throw MoveRefused(Refusal::look_first,
                      "the cell {} may have taken over, and its database cannot be reached: call "
                      "this again when it can; or with --accept, if it is lost for good",
                      cell);
  }
  undo_at_source(source, tenant, state.move->id);
  return state.state == TenantState::fenced;
}

}  // namespace postern::db
