#include "core/base/headers.h"

#include <gtest/gtest.h>

#include "tests/core/result_text.h"

namespace postern {
namespace {

std::string outcome_of(std::string name, std::string value) {
  return outcome(check_headers({{std::move(name), std::move(value)}}, "headers"));
}

TEST(CheckHeaders, AcceptsOrdinaryHeaders) {
  const Headers headers = {
      {"Authorization", "Bearer abc.def"},
      {"X-Empty", ""},
      {"x-tab", "a\tb"},
      {"X-Utf8", "caf\xc3\xa9"},
      {"!#$%&'*+-.^_`|~09azAZ", "every character of a token"},
      {"Content-Type", "application/json"},
      {"Hosts", "begins like a reserved one"},
      {"Web-Hook-Id", "so does this"},
      {"Proxied", "and this"},
  };
  EXPECT_EQ(outcome(check_headers(headers, "headers")), "ok");
  EXPECT_EQ(outcome(check_headers({}, "headers")), "ok");
}

TEST(CheckHeaders, RefusesNamesThatAreNotTokens) {
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a:b"), std::string("a\r\nb"),
        std::string("a\n"), std::string("\ta"), std::string("a\0b", 3), std::string("a(b)"),
        std::string("caf\xc3\xa9"), std::string("\"a\""), std::string("a\x7f"),
        std::string(257, 'a')}) {
    EXPECT_EQ(outcome_of(name, "x").substr(0, 19), "header_name_invalid") << name;
  }
  EXPECT_EQ(outcome_of(std::string(256, 'a'), "x"), "ok");
}

TEST(CheckHeaders, RefusesValuesThatCouldSplitARequest) {
  for (const std::string& value :
       {std::string("a\r\nHost: b"), std::string("a\rb"), std::string("a\nb"),
        std::string("a\r\n b"), std::string("a\0b", 3), std::string("a\x01"), std::string("\x1f"),
        std::string("a\x7f"), std::string(4097, 'a')}) {
    EXPECT_EQ(outcome_of("X-A", value), "header_value_invalid headers.X-A") << value.substr(0, 20);
  }
  EXPECT_EQ(outcome_of("X-A", std::string(4096, 'a')), "ok");
}

TEST(CheckHeaders, RefusesReservedNamesInAnyCaseAndAsCgiFoldsThem) {
  for (const char* name : {"host",
                           "Host",
                           "HOST",
                           "Content-Length",
                           "Transfer-Encoding",
                           "Connection",
                           "TE",
                           "te",
                           "Upgrade",
                           "Expect",
                           "Trailer",
                           "Keep-Alive",
                           "Proxy-Authorization",
                           "proxy-x",
                           "proxy-",
                           "HTTP2-Settings",
                           "webhook-id",
                           "Webhook-Signature",
                           "Postern-Attempt",
                           "AJ-Error",
                           "X-AsyncQueue-Signature",
                           "Webhook_Signature",
                           "Content_Length",
                           "transfer.encoding",
                           "KEEP_ALIVE",
                           "aj_x",
                           "X_AsyncQueue-Signature",
                           "Proxy~Authorization"}) {
    EXPECT_EQ(outcome_of(name, "x"), std::string("header_reserved headers.") + name);
  }
}

TEST(CheckHeaders, RefusesANameGivenTwiceInAnyCase) {
  EXPECT_EQ(outcome(check_headers({{"X-A", "1"}, {"X-B", "2"}, {"x-a", "3"}}, "headers")),
            "header_repeated headers.x-a");
}

TEST(CheckHeaders, LimitsNumberAndTotalSize) {
  Headers many;
  for (int i = 0; i < 50; ++i) many.push_back({"X-" + std::to_string(i), ""});
  EXPECT_EQ(outcome(check_headers(many, "h")), "ok");
  many.push_back({"X-50", ""});
  EXPECT_EQ(outcome(check_headers(many, "h")), "headers_too_many h");

  const std::string half(4094, 'a');
  EXPECT_EQ(outcome(check_headers({{"X1", half}, {"X2", half}}, "h")), "ok");
  EXPECT_EQ(outcome(check_headers({{"X1", half}, {"X2", half + "a"}}, "h")), "headers_too_many h");
}

TEST(JoinedHeaders, KeepEveryValue) {
  const Headers wanted{{"link", "</a>, </b>"}, {"set-cookie", "a=1; Path=/\nb=2"}, {"x", ""}};
  EXPECT_EQ(joined({{"link", "</a>"},
                    {"set-cookie", "a=1; Path=/"},
                    {"x", ""},
                    {"link", "</b>"},
                    {"set-cookie", "b=2"}}),
            wanted);
  EXPECT_EQ(joined({}), Headers{});
}

TEST(EqualIgnoringCase, FoldsAsciiLettersOnly) {
  EXPECT_TRUE(equal_ignoring_case("Content-TYPE", "content-type"));
  EXPECT_FALSE(equal_ignoring_case("a", "ab"));
  EXPECT_FALSE(equal_ignoring_case("[", "{"));  // 32 apart, like the two cases of a letter
  EXPECT_FALSE(equal_ignoring_case("\xc3\x89", "\xc3\xa9"));
}

}  // namespace
}  // namespace postern
