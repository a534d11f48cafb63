#include "db/schema/dialects.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "core/model/dialect.h"

namespace postern::db {
namespace {

constexpr Statement kAdmitted{"", R"sql(
  SELECT pg_get_constraintdef(oid) FROM pg_constraint
   WHERE conrelid = 'postern.task'::regclass AND conname = 'task_dialect_known')sql"};

std::string quoted(std::string_view name) { return fmt::format("'{}'", name); }

}  // namespace

void admit_dialects(PgConnection& connection) {
  const auto row = connection.exec(kAdmitted);
  const std::string_view admitted = row.rows() > 0 ? row.text(0, 0) : std::string_view();
  const auto is_admitted = [&](const DialectTraits& dialect) {
    return admitted.find(quoted(dialect.name)) != admitted.npos;
  };
  if (std::all_of(kDialects.begin(), kDialects.end(), is_admitted)) return;
  std::string names;
  for (const DialectTraits& dialect : kDialects) {
    names += (names.empty() ? "" : ", ") + quoted(dialect.name);
  }
  connection.script(
      fmt::format("ALTER TABLE postern.task DROP CONSTRAINT IF EXISTS task_dialect_known, "
                  "ADD CONSTRAINT task_dialect_known CHECK (dialect IN ({}))",
                  names)
          .c_str());
}

}  // namespace postern::db
