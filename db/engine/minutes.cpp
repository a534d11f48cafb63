#include "db/engine/minutes.h"

namespace postern::db {

const Statement kCountMinute{"count_minute", "SELECT postern.count_minute($1)"};

Params count_minute_params(int most) {
  Params params;
  params.int4(most);
  return params;
}

bool minute_goes_on(const PgResult& result) { return result.rows() > 0 && result.boolean(0, 0); }

const Statement kExpireMinutes{"expire_minutes", R"sql(
  WITH counted AS (
    DELETE FROM postern.counted_minute WHERE minute < now() - interval '3 hours')
  DELETE FROM postern.queue_minute m
   USING (SELECT minute, tenant, queue FROM postern.queue_minute
           WHERE minute < now() - interval '3 hours' ORDER BY minute LIMIT $1) o
   WHERE m.minute = o.minute AND m.tenant = o.tenant AND m.queue = o.queue)sql"};

Params expire_minutes_params(int most) {
  Params params;
  params.int8(most);
  return params;
}

}  // namespace postern::db
