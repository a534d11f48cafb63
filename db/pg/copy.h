// Rows from one server to another, as they are.
#pragma once

#include <cstdint>
#include <string>

#include "db/pg/connection.h"

namespace postern::db {

// Copies what `select` reads into the columns of `into` ("postern.task (id, ...)"), and returns how
// many rows; neither server nor this program holds more than a few of them at a time. Both run
// within the transactions of their connections. Throws PgError, of whichever server refused: both
// transactions can only be rolled back then; std::runtime_error if they do not agree on a number.
std::int64_t copy_rows(PgConnection& from, const std::string& select, PgConnection& to,
                       const std::string& into);

}  // namespace postern::db
