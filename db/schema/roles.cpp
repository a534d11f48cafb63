#include "db/schema/roles.h"

namespace postern::db {
namespace {

constexpr Statement kMissing{"", R"sql(
  SELECT role FROM unnest($1::text[]) WITH ORDINALITY AS r(role, n)
   WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) ORDER BY n)sql"};

template <class Names>
Array array_of(const Names& names) {
  Array out(Oid::text, names.size());
  for (const char* name : names) out.text(name);
  return out;
}

}  // namespace

Array login_roles() { return array_of(kLoginRoles); }
Array all_roles() { return array_of(kRoles); }

std::vector<std::string> missing_roles(PgConnection& connection) {
  const auto rows = connection.exec(kMissing, Params().array(all_roles()));
  std::vector<std::string> out;
  for (int i = 0; i < rows.rows(); ++i) out.emplace_back(rows.text(i, 0));
  return out;
}

}  // namespace postern::db
