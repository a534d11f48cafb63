#include "db/move/forget.h"

#include <chrono>
#include <optional>

#include "db/move/evidence.h"
#include "db/move/remains.h"
#include "db/move/state.h"

namespace postern::db {
namespace {

using namespace std::chrono_literals;

constexpr auto kWriters = 60s;

// The move at the source: the restored one, or one for this purpose.
Uuid move_at_source(Ends& ends, const EndState& source) {
  if (!source.move) {
    const Uuid id = random_uuid();
    begin_at_source(ends, id);
    return id;
  }
  return source.move->id;
}

// The other cell, where the tenant came from, has undone that without this one, which had taken
// over, and has its rows.
bool is_taken_back(Ends& ends, const EndState& source, const EndState& target) {
  return arrived(source) && source.move->other == ends.target_cell && target.known &&
         target.state == TenantState::here && !target.move && !is_empty(ends);
}

// A tenant that has moved is as old at both ends; `default` is in every cell.
void refuse_another(Ends& ends, const EndState& source, const EndState& target) {
  const bool empty = is_empty(ends);
  if (!empty && source.created_at == target.created_at) return;
  throw MoveRefused(Refusal::look_first,
                    "the cell {0} has {1}, as if it had never moved there: nothing was deleted in "
                    "the cell {2}. If what {2} has is to be deleted all the same, call this again "
                    "with --accept",
                    ends.target_cell,
                    empty ? "nothing of the tenant " + ends.tenant
                          : "a tenant " + ends.tenant + " that was made at another time",
                    ends.source_cell);
}

}  // namespace

std::int64_t forget_tenant(Ends& ends, bool accept, const MoveTold& told) {
  lock_both(ends);
  auto source = end_state(ends.source, ends.tenant);
  const auto target = end_state(ends.target, ends.tenant);
  std::optional<Uuid> arrival;
  if (accept && is_taken_back(ends, source, target)) {
    arrival = source.move->id;
    source.move.reset();
  }
  check_is_ours(ends, source, target);
  if (!accept) refuse_servers(ends, source, target);
  if (!target.known || target.state != TenantState::here || (target.move && !arrived(target))) {
    throw MoveRefused(Refusal::impossible,
                      "the cell {} does not have the tenant {}, or a move of it is under way "
                      "there: nothing was deleted in the cell {}",
                      ends.target_cell, ends.tenant, ends.source_cell);
  }
  if (!source.known || (source.state == TenantState::moved && !source.move)) {
    if (target.move) {
      drop_fences(ends.target);
      end_move(ends, target.move->id, target.move->id);
      return 0;
    }
    throw MoveRefused(Refusal::impossible, "the cell {} has nothing of the tenant {}",
                      ends.source_cell, ends.tenant);
  }
  if (!accept && !target.move) refuse_another(ends, source, target);
  wait_for_target(ends);  // which would not know that it has the tenant, if it took over
  if (arrival) forget_arrival(ends, *arrival);
  const Uuid id = move_at_source(ends, source);
  if (!source.move || source.move->step != MoveStep::deleting) {
    fence(ends.source);
    set_state(ends, TenantState::fenced,
              {TenantState::here, TenantState::draining, TenantState::fenced});
    wait_for_writers(ends, std::chrono::steady_clock::now() + kWriters);
    left_source(ends, id);
  }
  const auto deleted = delete_remains(ends.source, ends.tenant, [&](std::int64_t rows) {
    told("deleting what this cell has", rows);
  });
  drop_fences(ends.target);  // of a move that was ended by its arrival alone
  end_move(ends, id, target.move ? target.move->id : id);
  return deleted;
}

}  // namespace postern::db
