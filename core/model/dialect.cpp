#include "core/model/dialect.h"

#include <stdexcept>

#include <fmt/format.h>

namespace postern {

Dialect dialect_from(std::string_view word) {
  for (const DialectTraits& row : kDialects) {
    if (row.name == word) return row.dialect;
  }
  throw std::runtime_error(fmt::format("the database holds an unknown dialect: \"{}\"", word));
}

}  // namespace postern
