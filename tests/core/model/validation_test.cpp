#include "core/model/validation.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "tests/core/result_text.h"

namespace postern {
namespace {

using namespace std::string_literals;

TEST(CheckQueueName, FollowsItsPattern) {
  for (const std::string& name : {"a"s, "default"s, "A-z_0:9"s, "-"s, std::string(64, 'q')}) {
    EXPECT_EQ(outcome(check_queue_name(name, "queue")), "ok") << name;
  }
  for (const std::string& name :
       {std::string(65, 'q'), std::string(1 << 20, 'q'), "../etc"s, "a b"s, "a/b"s, "a.b"s, "a\n"s,
        "a\0"s, "\xf0\x9f\x98\x80"s, "caf\xc3\xa9"s, "';--"s}) {
    EXPECT_EQ(outcome(check_queue_name(name, "queue")), "queue_name_invalid queue")
        << name.substr(0, 20);
  }
  EXPECT_EQ(outcome(check_queue_name("", "q")), "queue_name_required q");
}

TEST(CheckName, FollowsItsPattern) {
  EXPECT_EQ(outcome(check_name(std::string(128, 'n'), "endpoint", "bad")), "ok");
  EXPECT_EQ(outcome(check_name("email:new_1-2", "endpoint", "bad")), "ok");
  for (const std::string& name : {""s, std::string(129, 'n'), "a b"s, "a\0b"s, "a/b"s}) {
    EXPECT_EQ(outcome(check_name(name, "endpoint", "bad")), "bad endpoint") << name;
  }
}

TEST(CheckDelay, IsZeroToTenYears) {
  for (const std::int64_t seconds : {0L, 1L, 10L * 366 * 86'400}) {
    EXPECT_EQ(outcome(check_delay(seconds, "delay")), "ok") << seconds;
  }
  for (const std::int64_t seconds :
       {-1L, 10L * 366 * 86'400 + 1, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_EQ(outcome(check_delay(seconds, "delay")), "delay_out_of_range delay") << seconds;
  }
}

TEST(CheckRunAt, IsAtMostTenYearsAhead) {
  const Time now{Seconds{1'736'937'000}};
  EXPECT_EQ(outcome(check_run_at(Time{}, now, "run_at")), "ok") << "the past means now";
  EXPECT_EQ(outcome(check_run_at(now + kMaxDelay, now, "run_at")), "ok");
  EXPECT_EQ(outcome(check_run_at(now + kMaxDelay + Microseconds{1}, now, "run_at")),
            "run_at_out_of_range run_at");
}

TEST(CheckMaxRetries, IsZeroToAHundred) {
  EXPECT_EQ(outcome(check_max_retries(0, "n")), "ok");
  EXPECT_EQ(outcome(check_max_retries(100, "n")), "ok");
  EXPECT_EQ(outcome(check_max_retries(-1, "n")), "max_retries_out_of_range n");
  EXPECT_EQ(outcome(check_max_retries(101, "n")), "max_retries_out_of_range n");
  EXPECT_EQ(outcome(check_max_retries(1'000'000'000, "n")), "max_retries_out_of_range n");
}

TEST(CheckTimeout, IsOneSecondToHalfAnHour) {
  EXPECT_EQ(outcome(check_timeout(Milliseconds{1'000}, "t")), "ok");
  EXPECT_EQ(outcome(check_timeout(Milliseconds{1'800'000}, "t")), "ok");
  EXPECT_EQ(outcome(check_timeout(Milliseconds{999}, "t")), "timeout_out_of_range t");
  EXPECT_EQ(outcome(check_timeout(Milliseconds{1'800'001}, "t")), "timeout_out_of_range t");
}

TEST(CheckMethod, IsOneOfFive) {
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    EXPECT_EQ(outcome(check_method(method, "method")), "ok") << method;
  }
  for (const char* method :
       {"", "post", "HEAD", "CONNECT", "TRACE", "OPTIONS", "POST ", "POST\r\nX: y", "GET /"}) {
    EXPECT_EQ(outcome(check_method(method, "method")), "method_invalid method") << method;
  }
}

TEST(CheckContentType, IsAMediaType) {
  for (const char* type : {"text/plain", "application/json", "text/plain; charset=utf-8",
                           "text/plain;charset=\"a b\"", "application/vnd.api+json", "a/b"}) {
    EXPECT_EQ(outcome(check_content_type(type, "c")), "ok") << type;
  }
  for (const std::string& type :
       {""s, "text"s, "/"s, "text/"s, "/plain"s, "te xt/plain"s, "text/pl/ain"s, "text/plain\r\n"s,
        "text/plain\nX: y"s, "text/plain; a=\xc3\xa9"s, "text/plain\0"s, " text/plain"s,
        "text/" + std::string(252, 'x')}) {
    EXPECT_EQ(outcome(check_content_type(type, "c")), "content_type_invalid c") << type;
  }
  EXPECT_EQ(outcome(check_content_type("text/" + std::string(251, 'x'), "c")), "ok");
}

TEST(CheckTagAndKeys, ArePrintableAscii) {
  const std::string all = "!\"#$%&'()*+-./0123456789:;<=>?@AZ[\\]^_`az{|}~";
  EXPECT_EQ(outcome(check_tag(all, "t")), "ok");
  EXPECT_EQ(outcome(check_idempotency_key(all + " ")), "ok") << "a space is printable";
  EXPECT_EQ(outcome(check_key(all + ",", "k")), "ok") << "an ordering key may hold a comma";

  EXPECT_EQ(outcome(check_tag(std::string(64, 't'), "t")), "ok");
  EXPECT_EQ(outcome(check_idempotency_key(std::string(128, 'k'))), "ok");
  EXPECT_EQ(outcome(check_key(std::string(128, 'k'), "k")), "ok");
  EXPECT_EQ(outcome(check_tag(std::string(65, 't'), "t")), "tag_invalid t");
  EXPECT_EQ(outcome(check_idempotency_key(std::string(129, 'k'))),
            "idempotency_key_invalid Idempotency-Key");
  EXPECT_EQ(outcome(check_key(std::string(129, 'k'), "k")), "key_invalid k");

  EXPECT_EQ(outcome(check_tag("a b", "t")), "tag_invalid t");
  EXPECT_EQ(outcome(check_key("a b", "k")), "key_invalid k");
  for (const std::string& text : {""s, "a\tb"s, "a\0b"s, "a\r\n"s, "\x7f"s, "\xc3\xa9"s}) {
    EXPECT_EQ(outcome(check_tag(text, "t")), "tag_invalid t") << text;
    EXPECT_EQ(outcome(check_idempotency_key(text)), "idempotency_key_invalid Idempotency-Key")
        << text;
    EXPECT_EQ(outcome(check_key(text, "k")), "key_invalid k") << text;
  }
  EXPECT_EQ(outcome(check_tag("a,b", "t")), "tag_invalid t");
  EXPECT_EQ(outcome(check_idempotency_key("a,b")), "idempotency_key_invalid Idempotency-Key");
}

TEST(IsTraceparent, IsVersionZeroZeroExactly) {
  EXPECT_TRUE(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  for (const char* text : {
           "",
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
           "00-0af7651916cd43dd8448eb211c80319cxb7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331x01",
           "00-0af7651916cd43dd8448eb211c8031\r\n-b7ad6b7169203331-01",
       }) {
    EXPECT_FALSE(is_traceparent(text)) << text;
  }
}

TEST(CheckTenant, FollowsItsPattern) {
  for (const std::string& name : {"default"s, "a"s, "0-_z"s, std::string(63, 't')}) {
    EXPECT_EQ(outcome(check_tenant(name, "tenant")), "ok") << name;
  }
  for (const std::string& name :
       {""s, "Default"s, "-a"s, "_a"s, "a.b"s, "a b"s, "a\0"s, std::string(64, 't')}) {
    EXPECT_EQ(outcome(check_tenant(name, "tenant")), "tenant_invalid tenant") << name;
  }
}

}  // namespace
}  // namespace postern
