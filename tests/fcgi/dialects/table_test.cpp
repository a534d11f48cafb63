// What the routes of all dialects have in common.
#include "fcgi/dialects/table.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

// A light route has as many of the connections that all tenants share as it asks for. What makes a
// task alone may be so, and is answered later: the intake bounds it.
TEST(Routes, ThatChangeSomethingHavePlaces) {
  for (const DialectTable* table : all_tables()) {
    for (const Route& route : table->routes) {
      if (route.method == "GET" || route.late != nullptr) continue;
      EXPECT_NE(route.cost, Cost::light) << route.method << " " << route.pattern;
    }
  }
}

}  // namespace
}  // namespace postern
