#include "db/pg/standby.h"

namespace postern::db {
namespace {

constexpr Statement kWait{"", "SELECT pg_logical_emit_message(true, 'postern', '')"};

}  // namespace

bool wait_for_standby(PgConnection& connection) {
  connection.take_unsure_commit();
  connection.exec(kWait);
  return !connection.take_unsure_commit();
}

}  // namespace postern::db
