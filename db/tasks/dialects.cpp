#include "db/tasks/dialects.h"

namespace postern::db {

Array dialects_with(bool DialectTraits::*trait) {
  Array names(Oid::text);
  for (const DialectTraits& row : kDialects) {
    if (row.*trait) names.text(row.name);
  }
  return names;
}

}  // namespace postern::db
