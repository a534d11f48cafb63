#include "db/tasks/dialects.h"

namespace postern::db {

Array dialects_with(bool DialectTraits::*trait) {
  Array names(Oid::text);
  for (const DialectTraits& row : kDialects) {
    if (row.*trait) names.text(row.name);
  }
  return names;
}

void add_retry_rules(Params& params) {
  params.array(dialects_with(&DialectTraits::retries_waiting));
  params.array(dialects_with(&DialectTraits::retries_completed));
  params.array(dialects_with(&DialectTraits::retries_keep_start));
}

}  // namespace postern::db
