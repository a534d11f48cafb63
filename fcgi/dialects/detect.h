// Which dialect a request speaks: that of its mount, or, where a mount speaks several, what the
// request itself is told by.
#pragma once

#include <optional>

#include "core/base/error.h"
#include "fcgi/dialects/table.h"

namespace postern {

// Where a request goes, and who speaks when something is wrong with it.
struct Way {
  const DialectTable* table;
  Match<Route> match;
  std::optional<Dialect> mount;  // as Call::dialect
  std::optional<Error> refused;
};

// It points into `request`.
Way way_of(const HttpRequest& request);

// Who speaks about a task: on a mount of several dialects its own, which is looked up for this; of
// one that is not to be found, the spelling of the id tells. `caller`: absent when it is not known.
const DialectTable& speaker(const UseCases& use, const Way& way, const Caller* caller);

}  // namespace postern
