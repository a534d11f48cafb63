#include "db/schema/drift.h"

#include <map>

#include "db/schema/roles.h"

namespace postern::db {
namespace {

// Everything that roles.sql, functions/ and grants.sql set, a line for each object. Rights are
// sorted, since GRANT appends them. $1: Postern's roles.
constexpr Statement kCatalog{"", R"sql(
  SELECT 'role ' || rolname,
         concat_ws(' ', rolsuper, rolcanlogin, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication,
                   (SELECT string_agg(c, ' ' ORDER BY c) FROM pg_db_role_setting s, unnest(s.setconfig) c
                     WHERE s.setrole = r.oid AND s.setdatabase = 0))
    FROM pg_roles r
   WHERE rolname = ANY($1::text[])
  UNION ALL
  SELECT CASE relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' ELSE 'table ' END || oid::regclass,
         concat_ws(' ', pg_get_userbyid(relowner),
                   (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(
                     coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) a))
    FROM pg_class WHERE relnamespace = 'postern'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
  UNION ALL
  SELECT format('trigger %s of %s', tgname, tgrelid::regclass), concat_ws(' ', tgenabled, pg_get_triggerdef(oid))
    FROM pg_trigger
   WHERE NOT tgisinternal AND tgname NOT LIKE 'fence\_%'  -- those come and go with moves
     AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'postern'::regnamespace)
  UNION ALL
  SELECT 'function ' || oid::regprocedure,
         concat_ws(' ', pg_get_functiondef(oid), pg_get_userbyid(proowner),
                   (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(
                     coalesce(proacl, acldefault('f', proowner))) a))
    FROM pg_proc WHERE pronamespace = 'postern'::regnamespace AND prokind = 'f')sql"};

std::map<std::string, std::string> catalog(PgConnection& connection) {
  std::map<std::string, std::string> out;
  const auto rows = connection.exec(kCatalog, Params().array(all_roles()));
  for (int i = 0; i < rows.rows(); ++i) out.emplace(rows.text(i, 0), rows.text(i, 1));
  return out;
}

}  // namespace

std::vector<std::string> schema_drift(PgConnection& connection, const Schema& schema) {
  Transaction transaction(connection);  // never committed
  const auto found = catalog(connection);
  if (!reapply(connection, schema)) return {};
  const auto wanted = catalog(connection);
  std::vector<std::string> out;
  for (const auto& [name, text] : wanted) {
    const auto it = found.find(name);
    if (it == found.end()) {
      out.push_back(name + " (missing)");
    } else if (it->second != text) {
      out.push_back(name);
    }
  }
  return out;
}

}  // namespace postern::db
