#include "fcgi/api/concurrency_limit.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace postern {
namespace {

using Pass = ConcurrencyLimit::Pass;

TEST(ConcurrencyLimit, GivesNoTenantAllPlaces) {
  ConcurrencyLimit limit(ConcurrencyLimit::shared(4));
  std::vector<Pass> passes;
  for (int i = 0; i < 3; ++i) {
    passes.push_back(limit.enter("a"));
    EXPECT_TRUE(passes.back());
  }
  EXPECT_FALSE(limit.enter("a"));
  passes.push_back(limit.enter("b"));
  EXPECT_TRUE(passes.back());
  EXPECT_FALSE(limit.enter("c"));  // there are no more
  passes.erase(passes.begin());
  EXPECT_TRUE(limit.enter("c"));
}

TEST(ConcurrencyLimit, TakesTheTenantsInLineInTurn) {
  ConcurrencyLimit limit({.places = 1, .share = 1, .line = 3});
  std::vector<std::string> order;
  std::vector<Pass> held;
  const auto wait = [&](const std::string& tenant, const std::string& as) {
    return limit.line_up(tenant, [&, as](Pass pass) {
      order.push_back(as);
      held.push_back(std::move(pass));
    });
  };
  EXPECT_TRUE(wait("a", "a1"));
  EXPECT_EQ(order, std::vector<std::string>{"a1"});  // there is a place: at once
  for (const char* each : {"a2", "a3", "a4"}) EXPECT_TRUE(wait("a", each));
  EXPECT_FALSE(wait("a", "a5"));
  EXPECT_TRUE(wait("b", "b1"));
  EXPECT_FALSE(limit.enter("b"));  // nobody overtakes
  while (!held.empty()) {
    const Pass first = std::move(held.front());
    held.erase(held.begin());
  }
  EXPECT_EQ(order, (std::vector<std::string>{"a1", "a2", "b1", "a3", "a4"}));
  EXPECT_TRUE(limit.enter("b"));
}

TEST(ConcurrencyLimit, TellsThoseWhoHaveWaitedForTooLong) {
  ConcurrencyLimit limit(
      {.places = 1, .share = 1, .line = 3, .patience = std::chrono::milliseconds{0}});
  Pass held = limit.enter("a");
  std::vector<bool> admitted;
  std::vector<Pass> passes;
  for (const char* tenant : {"a", "b", "b"}) {
    EXPECT_TRUE(limit.line_up(tenant, [&](Pass pass) {
      admitted.push_back(pass != nullptr);
      passes.push_back(std::move(pass));
    }));
  }
  held.reset();
  EXPECT_EQ(admitted, (std::vector{true, false, false}));
  passes.clear();
  EXPECT_TRUE(limit.enter("b"));
}

// Whoever is over its share leaves the places that are free to those who come later.
TEST(ConcurrencyLimit, LetsOthersPassWhoeverHasItsShare) {
  ConcurrencyLimit limit({.places = 2, .share = 1, .line = 1});
  const Pass held = limit.enter("a");
  bool ran = false;
  EXPECT_TRUE(limit.line_up("a", [&](const Pass&) { ran = true; }));
  EXPECT_FALSE(ran);
  EXPECT_TRUE(limit.enter("b"));
}

}  // namespace
}  // namespace postern
