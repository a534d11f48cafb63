#include "db/tasks/dependency_results.h"

#include <boost/json.hpp>

#include "core/base/base64.h"
#include "core/model/ids.h"

namespace postern::db {
namespace {

constexpr Statement kDependencyResults{"dependency_results",
                                       "SELECT postern.results_of($1::text, $2::uuid[])"};

}  // namespace

std::vector<DependencyResult> dependency_results(PgConnection& connection, std::string_view tenant,
                                                 std::span<const TaskId> tasks) {
  Array ids(Oid::uuid);
  for (const TaskId& id : tasks) ids.uuid(id);
  const auto rows = connection.exec(kDependencyResults, Params().text(tenant).array(ids));
  if (rows.is_null(0, 0)) return {};
  return dependency_results_from(rows.text(0, 0));
}

std::vector<DependencyResult> dependency_results_from(std::string_view json) {
  std::vector<DependencyResult> out;
  const auto rows = boost::json::parse(json);
  for (const auto& each : rows.as_array()) {
    const auto& row = each.as_array();
    const auto id = parse_task_id(row.at(0).as_string());
    if (!id) continue;
    const auto* body = row.at(1).if_string();
    out.push_back({*id, body == nullptr ? std::string() : base64_decode(*body).value_or(""),
                   Time{Microseconds{row.at(2).as_int64()}}});
  }
  return out;
}

}  // namespace postern::db
