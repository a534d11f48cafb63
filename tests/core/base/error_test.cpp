#include "core/base/error.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(Errc, HasTheNamesOfTheWire) {
  const std::pair<Errc, const char*> table[] = {
      {Errc::invalid_argument, "invalid_argument"},
      {Errc::unauthenticated, "unauthenticated"},
      {Errc::forbidden, "forbidden"},
      {Errc::not_found, "not_found"},
      {Errc::method_not_allowed, "invalid_argument"},
      {Errc::conflict, "conflict"},
      {Errc::duplicate, "duplicate"},
      {Errc::payload_too_large, "payload_too_large"},
      {Errc::rate_limited, "rate_limited"},
      {Errc::unavailable, "unavailable"},
      {Errc::internal, "internal"},
  };
  for (const auto& [code, text] : table) EXPECT_EQ(name(code), text);
}

TEST(Errc, IsSetByTheShorthands) {
  const Error error = invalid("too_big", "size", "Too big.");
  EXPECT_EQ(error.code, Errc::invalid_argument);
  EXPECT_EQ(error.reason, "too_big");
  EXPECT_EQ(error.field, "size");
  EXPECT_EQ(error.message, "Too big.");
  EXPECT_EQ(not_found("task_not_found", "x").code, Errc::not_found);
  EXPECT_EQ(conflict("task_active", "x").code, Errc::conflict);
  EXPECT_EQ(unavailable("database_away", "x").code, Errc::unavailable);
  EXPECT_EQ(unavailable("database_away", "x").field, "");
}

TEST(Result, ThrowsMessageAndPlaceWhenAFailureIsRead) {
  const Result<int> failed = invalid("too_big", "size", "Too big.");
  try {
    (void)failed.value();
    FAIL() << "value() of a failed result must throw";
  } catch (const std::logic_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("Too big."), std::string::npos) << text;
    EXPECT_NE(text.find("error_test.cpp"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace postern
