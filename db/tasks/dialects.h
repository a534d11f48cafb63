// The traits of the dialects, as statements take them.
#pragma once

#include "core/model/dialect.h"
#include "db/pg/parameters.h"

namespace postern::db {

// The names of the dialects that have this trait: text[].
Array dialects_with(bool DialectTraits::*trait);

// What postern.retry_task asks of the dialects: its last three arguments.
void add_retry_rules(Params& params);

}  // namespace postern::db
