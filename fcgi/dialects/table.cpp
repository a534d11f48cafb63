#include "fcgi/dialects/table.h"

#include <algorithm>
#include <array>

namespace postern {
namespace {

// Read once: where the tables stand never changes.
using Tables = std::array<const DialectTable*, kAllDialects.size()>;

const Tables& tables() {
  static const Tables kTables{&asyncqueue(), &native(), &asyncjobs(), &taskmq()};
  return kTables;
}

}  // namespace

std::span<const DialectTable* const> all_tables() { return tables(); }

const DialectTable& table_of(Dialect dialect) {
  return **std::find_if(tables().begin(), tables().end(),
                        [&](const DialectTable* each) { return each->dialect == dialect; });
}

const DialectTable& shown_to(std::optional<Dialect> mount, const Task& task) {
  return table_of(mount.value_or(task.spec.dialect));
}

}  // namespace postern
