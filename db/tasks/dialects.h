// The traits of the dialects, as statements take them.
#pragma once

#include "core/model/dialect.h"
#include "db/pg/parameters.h"

namespace postern::db {

// The names of the dialects that have this trait: text[].
Array dialects_with(bool DialectTraits::*trait);

}  // namespace postern::db
