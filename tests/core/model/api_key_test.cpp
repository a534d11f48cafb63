#include "core/model/api_key.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/model/queue.h"

namespace postern {
namespace {

TEST(ApiKey, BeginsWithItsKindAndTheLabelOfItsCell) {
  struct Case {
    bool sandbox;
    const char *cell, *beginning;
  };
  for (const auto& [sandbox, cell, beginning] :
       {Case{false, "", "postern_"}, Case{true, "", "aq_test_"}, Case{false, "eu2", "postern_eu2_"},
        Case{true, "eu2", "aq_test_eu2_"}}) {
    const std::string key = make_api_key(sandbox, cell);
    ASSERT_TRUE(key.starts_with(beginning)) << key;
    const std::string random = key.substr(std::string(beginning).size());
    EXPECT_EQ(random.size(), 43u);
    // No underscore, or a part of it could be taken for a label.
    EXPECT_TRUE(std::ranges::all_of(random, is_alphanumeric)) << key;
    EXPECT_EQ(key.starts_with(kSandboxKeyPrefix), sandbox);
    EXPECT_NE(key, make_api_key(sandbox, cell));
  }
}

}  // namespace
}  // namespace postern
