// In which cell a tenant is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/time/time.h"
#include "db/pg/connection.h"

namespace postern::db {

// As postern.tenant has it: `arriving` while its rows are copied into this cell; `draining` and
// `fenced` while it leaves; `moved` once it has left.
enum class TenantState { here, arriving, draining, fenced, moved };
std::string_view name(TenantState state);
// Throws std::runtime_error for another word.
TenantState tenant_state(std::string_view word);

// For how long handlers go by the placements that they have read.
inline constexpr Milliseconds kPlacementsTrusted{1000};

struct Placement {
  std::string tenant;
  TenantState state = TenantState::here;
  // moved: the label of the cell where it is, and that cell's public URL; also while it comes back
  std::string cell;
  std::string url;

  // Whether all that is asked of it here is to be asked in `cell`. While its rows are copied back
  // from there it is not here yet.
  bool is_elsewhere() const {
    return state == TenantState::moved || (state == TenantState::arriving && !cell.empty());
  }
};

struct PlacementChanges {
  Time at;           // by the database's clock
  bool any = false;  // there is a tenant that is not simply here
  bool all = true;   // no change is missing
  std::vector<Placement> tenants;
};

// Those on their way, and those that have left since `since`, which is the `at` of an earlier look;
// nullopt: of those that have left none. However many have left, it reads no more than 1,000 of
// them.
PlacementChanges placement_changes(PgConnection& connection, const std::optional<Time>& since);

// Of every tenant, by name (as bytes compare), read in pages, since there may be many: for
// commands.
class AllPlacements {
 public:
  explicit AllPlacements(PgConnection& connection, int page = 1'000)
      : connection_(connection), page_(page) {}

  // The next one; nullptr behind the last. Valid until the next call. Throws PgError.
  const Placement* next();

 private:
  PgConnection& connection_;
  const int page_;
  std::vector<Placement> read_;
  std::size_t at_ = 0;
};

// How many tenants are here, and how many have moved.
struct TenantCounts {
  std::int64_t here = 0, moved = 0;
};
TenantCounts count_tenants(PgConnection& connection);

// One of those that are not simply here; nullopt: the tenant is here, or there is none of this
// name.
std::optional<Placement> placement(PgConnection& connection, std::string_view tenant);

// The tenant of a task that has left this cell with it, as long as a URL of the task may be used
// here; nullopt: of none. The row of such a task may still be here, too.
std::optional<std::string> moved_task(PgConnection& connection, const Uuid& id);

}  // namespace postern::db
