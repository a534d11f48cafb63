#include "db/catalog/placement.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "db/pg/rows.h"

namespace postern::db {

std::string_view name(TenantState state) {
  switch (state) {
    case TenantState::here: return "here";
    case TenantState::arriving: return "arriving";
    case TenantState::draining: return "draining";
    case TenantState::fenced: return "fenced";
    case TenantState::moved: return "moved";
  }
  return "";
}

TenantState tenant_state(std::string_view word) {
  using enum TenantState;
  for (const auto state : {here, arriving, draining, fenced, moved}) {
    if (word == name(state)) return state;
  }
  throw std::runtime_error("a tenant has the unknown state " + std::string(word));
}

namespace {

constexpr Column<Placement> kColumns[] = {
    {"name", [](Placement& placement, const Value& value) { placement.tenant = value.text(); }},
    {"state", [](Placement& placement,
                 const Value& value) { placement.state = tenant_state(value.text()); }},
    {"moved_to", [](Placement& placement, const Value& value) { placement.cell = value.text(); }},
    {"moved_url", [](Placement& placement, const Value& value) { placement.url = value.text(); }},
};

constexpr int kMostMoved = 1'000;

// `moved_at` is when the change of state began, which may be seen only later: but whoever was seen
// here begins it after that. The minute is for clocks that are set back.
constexpr Statement kChanges{"placement_changes", R"sql(
  SELECT now() AS at, some_moved, name, state, moved_to, moved_url
    FROM (SELECT count(*) > 0 AS some_moved FROM (
            SELECT FROM postern.tenant WHERE state = 'moved' ORDER BY moved_at LIMIT 1) m) AS one LEFT JOIN (
      (SELECT name, state, moved_to, moved_url FROM postern.tenant WHERE state NOT IN ('here', 'moved'))
      UNION ALL
      (SELECT name, state, moved_to, moved_url FROM postern.tenant
        WHERE state = 'moved' AND moved_at > $1 - interval '1 minute' ORDER BY moved_at LIMIT $2)) t ON true)sql"};

constexpr Statement kPlacementsAfter{"", R"sql(
  SELECT name, state, moved_to, moved_url FROM postern.tenant WHERE name > $1 ORDER BY name LIMIT $2)sql"};

constexpr Statement kCounts{"", R"sql(
  SELECT count(*) FILTER (WHERE state = 'here'), count(*) FILTER (WHERE state = 'moved') FROM postern.tenant)sql"};

constexpr Statement kPlacement{"placement", R"sql(
  SELECT name, state, moved_to, moved_url FROM postern.tenant WHERE name = $1 AND state <> 'here')sql"};

constexpr Statement kMovedTask{
    "moved_task", "SELECT tenant FROM postern.moved_task WHERE task = $1 AND until > now()"};

}  // namespace

PlacementChanges placement_changes(PgConnection& connection, const std::optional<Time>& since) {
  const auto rows = connection.exec(kChanges, Params().time(since).int8(kMostMoved));
  PlacementChanges out;
  out.at = rows.time(0, rows.column("at"));
  const bool none = rows.is_null(0, rows.column("name"));
  out.any = !none || rows.boolean(0, rows.column("some_moved"));
  if (!none) out.tenants = RowReader<Placement>(rows, kColumns).all();
  out.all = std::ranges::count(out.tenants, TenantState::moved, &Placement::state) < kMostMoved;
  return out;
}

const Placement* AllPlacements::next() {
  if (at_ == read_.size()) {
    const std::string after = read_.empty() ? "" : read_.back().tenant;
    const auto rows = connection_.exec(kPlacementsAfter, Params().text(after).int4(page_));
    if (rows.rows() == 0) return nullptr;
    read_ = RowReader<Placement>(rows, kColumns).all();
    at_ = 0;
  }
  return &read_[at_++];
}

TenantCounts count_tenants(PgConnection& connection) {
  const auto rows = connection.exec(kCounts);
  return {rows.integer(0, 0), rows.integer(0, 1)};
}

std::optional<Placement> placement(PgConnection& connection, std::string_view tenant) {
  const auto rows = connection.exec(kPlacement, Params().text(tenant));
  if (rows.rows() == 0) return std::nullopt;
  return RowReader<Placement>(rows, kColumns).all().front();
}

std::optional<std::string> moved_task(PgConnection& connection, const Uuid& id) {
  Params params;
  params.uuid(id);
  const auto rows = connection.exec(kMovedTask, params);
  if (rows.rows() == 0) return std::nullopt;
  return std::string(rows.text(0, 0));
}

}  // namespace postern::db
