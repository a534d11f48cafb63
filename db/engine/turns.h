// How tenants take turns, so that none waits behind what another one has: a part of statements.
#pragma once

#include <string>
#include <string_view>

namespace postern::db {

// The expression of `WITH RECURSIVE` that finds up to `most` tenants that are here in turn, first
// those behind the one in $1 and then from the start: `turns` with `place` and `tenant`, in the
// order of both. `rows` is what is looked through, a table as `s` with a condition to which another
// one is added, and `order` the order of its rows within a tenant: one index has both. One descent
// for each tenant, however many rows it has. `only_if`: without this nothing is looked through.
std::string turns_sql(std::string_view rows, std::string_view order, int most,
                      std::string_view only_if = "true");

}  // namespace postern::db
