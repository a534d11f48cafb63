// The SQL door and core go by the same rules: one table of values for each argument asks both.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/headers_json.h"
#include "core/base/url.h"
#include "core/model/creation.h"
#include "core/model/queue.h"
#include "core/model/retry_policy.h"
#include "core/model/validation.h"
#include "db/catalog/schedules.h"
#include "tests/db/tasks/enqueue.h"
#include "tests/support/tasks.h"
#include "tests/support/url_corpus.h"

namespace postern::test {
namespace {

// Both doors go by the same rules: what check_creation says of each value of a field, SQL says too,
// and names the argument.
class BothDoors : public Enqueue {
 protected:
  // What SQL refuses about `arguments`, of which $1 to $3 are `params`; empty: it takes them.
  std::string refused(const std::string& arguments, const db::Params& params) {
    try {
      app_->exec({"", ("SELECT postern.enqueue(" + arguments + ")").c_str()}, params);
      return {};
    } catch (const db::PgError& error) {
      EXPECT_EQ(error.sqlstate(), "23514") << arguments << ": " << error.what();
      return error.what();
    }
  }
  static Creation good() {
    static const FieldNames kNames;
    Creation wanted;
    wanted.fields = &kNames;
    wanted.queue = "q";
    wanted.url = "https://h.test/";
    return wanted;
  }
  void expect_same(const Creation& wanted, const std::string& argument, const std::string& value,
                   const std::string& arguments, const db::Params& params) {
    const Time now = db::transaction_time(*app_);
    const bool core = check_creation(wanted, now) && check_not_reserved(wanted.queue, "queue");
    const auto sql = refused(arguments, params);
    EXPECT_EQ(sql.empty(), core) << argument << " " << value << ": " << sql;
    EXPECT_TRUE(sql.empty() || sql.starts_with(argument + ": ")) << sql;
    (core ? taken_ : refused_) += 1;
  }
  void expect_same_text(const std::string& argument, const std::string& value,
                        const std::string& arguments, const std::function<void(Creation&)>& set) {
    Creation wanted = good();
    set(wanted);
    expect_same(wanted, argument, value, arguments, db::Params().text(value));
  }

  int taken_ = 0, refused_ = 0;
};

TEST_F(BothDoors, Urls) {
  std::vector<std::string> urls(std::begin(kGoodUrls), std::end(kGoodUrls));
  urls.insert(urls.end(), std::begin(kBadUrls), std::end(kBadUrls));
  const std::string label(63, 'a'),
      host = label + "." + label + "." + label + "." + label.substr(2);
  for (const std::string& url : {"http://" + label + "/",
                                 "http://" + label + "a/",
                                 "http://" + host + "/",
                                 "http://" + host + "b/",
                                 "http://h.test/" + std::string(2034, 'p'),
                                 "http://h.test/" + std::string(2035, 'p'),
                                 "http://h.test?" + std::string(2034, 'p'),
                                 "http://h.test:80/" + std::string(2031, 'p'),
                                 "http://h.test/?q#" + std::string(2048, 'f'),
                                 std::string("http://h.test:00080/"),
                                 std::string("http://h.test:/"),
                                 std::string("HTTPS://H.test"),
                                 std::string("http://1.2.3.4.5/"),
                                 std::string("http://a.0x/"),
                                 std::string("http://a.0xg/"),
                                 std::string("http://01.2.3.4/"),
                                 std::string("http://[::ffff:1.2.3.4]/"),
                                 std::string("http://[1.2.3.4]/"),
                                 std::string("http://[::1]"),
                                 std::string("http://h.test#@x"),
                                 std::string("http://h.test/#%zz"),
                                 std::string("http://h.test/%"),
                                 std::string("http://h.test/@"),
                                 std::string("http://.test/"),
                                 std::string("http://-.test/"),
                                 std::string("http://h.test/\x7f")}) {
    urls.push_back(url);
  }
  for (const auto& url : urls) {
    if (url.empty()) continue;  // core asks the queue for one
    expect_same_text("url", url, "'q', $1", [&](Creation& c) { c.url = url; });
  }
  for (const char* url : kGoodUrls) EXPECT_TRUE(parse_url(url, "url")) << url;
  EXPECT_GE(taken_, 15);
  EXPECT_GE(refused_, 45);
}

// What both take they keep alike; of IPv6 addresses all shapes, by which groups are zeros.
TEST_F(BothDoors, KeptUrls) {
  std::vector<std::string> urls(std::begin(kGoodUrls), std::end(kGoodUrls));
  for (int zeros = 0; zeros < 256; ++zeros) {
    for (const char* group : {"1", "FFFF", "0a0"}) {
      std::string address;
      for (int i = 0; i < 8; ++i) {
        address += std::string(i > 0 ? ":" : "") + ((zeros >> i & 1) != 0 ? "0" : group);
      }
      urls.push_back("HTTP://[" + address + "]:080/%AB");
    }
  }
  for (const auto& url : urls) {
    const auto kept =
        app_->exec({"", "SELECT postern.enqueue('q', $1)"}, db::Params().text(url)).uuid(0, 0);
    EXPECT_EQ(read(owner_, kept)->spec.url, parse_url(url, "url")->canonical());
  }
}

TEST_F(BothDoors, RetryPolicies) {
  std::string many = R"({"intervals":[0)";
  for (int i = 0; i < 99; ++i) many += ",1";
  std::vector<std::string> policies{R"({"intervals":)",
                                    "{}",
                                    "{",
                                    "[]",
                                    "[1]",
                                    "null",
                                    "",
                                    " none",
                                    "NONE",
                                    "nonesuch",
                                    R"({"intervals":[]})",
                                    R"({"intervals":[1]})",
                                    R"({"intervals":[0.5,2592000]})",
                                    R"({"intervals":[2592000.5]})",
                                    R"({"intervals":[-1]})",
                                    R"({"intervals":[-0]})",
                                    R"({"intervals":["1"]})",
                                    R"({"intervals":[null]})",
                                    R"({"intervals":[[1]]})",
                                    R"({"intervals":[1e-400]})",
                                    R"({"intervals":[1e400]})",
                                    R"({"intervals":[0e99]})",
                                    R"({"intervals":{"0":1}})",
                                    R"({"intervals":1})",
                                    R"({"intervals":[1],"jitter":0})",
                                    R"({"intervals":[1],"jitter":1})",
                                    R"({"intervals":[1],"jitter":1.01})",
                                    R"({"intervals":[1],"jitter":"0"})",
                                    R"({"intervals":[1],"jitter":null})",
                                    R"({"jitter":0.5})",
                                    R"({"intervals":[1],"more":1})",
                                    R"({"intervals":[1],"intervals":[2]})",
                                    R"( {"intervals":[1]})",
                                    R"({"intervals":[1]} )",
                                    R"({"intervals":[1]}x)",
                                    R"({"intervals":[1],"\u0000":1})",
                                    R"({"interv\u0061ls":[1]})",
                                    R"({'intervals':[1]})",
                                    R"({"intervals":[1,]})",
                                    R"({"intervals":[01]})",
                                    many + "]}",
                                    many + ",1]}"};
  for (const auto& named : RetryPolicy::named()) policies.emplace_back(named.name);
  for (const auto& policy : policies) {
    expect_same_text("retry_policy", policy, "'q', 'https://h.test/', retry_policy => $1",
                     [&](Creation& c) { c.retry_policy = policy; });
  }
  EXPECT_GE(taken_, 15);
  EXPECT_GE(refused_, 25);
}

TEST_F(BothDoors, QueuesMethodsAndContentTypes) {
  const std::string most(64, 'q'), type(250, 't');
  for (const std::string& name :
       {std::string("q"), most, most + "q", std::string(""), std::string("a b"),
        std::string("a:b_c-D9"), std::string("ä"), std::string("aq_test"), std::string("q\n")}) {
    expect_same_text("queue", name, "$1, 'https://h.test/'", [&](Creation& c) { c.queue = name; });
  }
  for (const char* name : {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "post", ""}) {
    expect_same_text("method", name, "'q', 'https://h.test/', method => $1",
                     [&](Creation& c) { c.method = name; });
    expect_same_text("method", name, "'q', 'https://h.test/', '{}', method => $1",
                     [&](Creation& c) { c.method = name, c.body = "{}"; });
  }
  for (const std::string& name :
       {std::string("text/plain"), std::string("text/plain; charset=utf-8"), std::string("text"),
        std::string("/"), std::string("a/"), std::string("/a"), std::string("a/b/c"),
        std::string("a/b c"), std::string("a b/c"), std::string("a/b\tc"), std::string("a/b;\x7f"),
        std::string("ä/b"), std::string("a/b; x=ä"), std::string(""), type + "/plain",
        type + "/plains", std::string("application/vnd.a+json"), std::string("a/*")}) {
    expect_same_text("content_type", name, "'q', 'https://h.test/', 'x'::bytea, $1",
                     [&](Creation& c) { c.content_type = name; });
  }
}

TEST_F(BothDoors, Headers) {
  const auto check = [&](const Headers& headers) {
    Creation wanted = good();
    wanted.headers = headers;
    expect_same(wanted, "headers", headers_json(headers).substr(0, 200),
                "'q', 'https://h.test/', headers => $1::text::jsonb",
                db::Params().text(headers.empty() ? "{}" : headers_json(headers)));
  };
  for (const std::string& name : {std::string("a"),
                                  std::string(""),
                                  std::string("a b"),
                                  std::string("a:"),
                                  std::string("!#$%&'*+-.^_`|~"),
                                  std::string("ä"),
                                  std::string(256, 'n'),
                                  std::string(257, 'n'),
                                  std::string("Host"),
                                  std::string("content-length"),
                                  std::string("Webhook-Id"),
                                  std::string("POSTERN-Attempt"),
                                  std::string("aj-x"),
                                  std::string("ajx"),
                                  std::string("X-AsyncQueue-Y"),
                                  std::string("Proxy-Z"),
                                  std::string("te"),
                                  std::string("Keep-Alive"),
                                  std::string("http2-settings"),
                                  std::string("Webhook_Signature"),
                                  std::string("Content.Length"),
                                  std::string("proxy_x"),
                                  std::string("x_asyncqueue-y"),
                                  std::string("Authorization")}) {
    check({{name, "v"}});
  }
  for (const std::string& value :
       {std::string(""), std::string("a\tb"), std::string("a\nb"), std::string("a\x01"),
        std::string("\x7f"), std::string("ä"), std::string(4096, 'v'), std::string(4097, 'v')}) {
    check({{"name", value}});
  }
  check({});
  check({{"a", "1"}, {"A", "2"}});
  Headers many;
  for (int i = 0; i < 50; ++i) many.push_back({fmt::format("h{}", i), "v"});
  check(many);
  many.push_back({"h50", "v"});
  check(many);
  check({{"a", std::string(4096, 'v')}, {"b", std::string(4094, 'v')}});
  check({{"a", std::string(4096, 'v')}, {"b", std::string(4095, 'v')}});
  for (const char* odd : {"null", "[]", "1", R"({"a":1})", R"({"a":null})", R"({"a":{}})"}) {
    EXPECT_TRUE(
        refused("'q', 'https://h.test/', headers => $1::text::jsonb", db::Params().text(odd))
            .starts_with("headers: "));
  }
}

TEST_F(BothDoors, Tags) {
  const auto check = [&](const std::vector<std::string>& tags) {
    Creation wanted = good();
    wanted.tags = tags;
    expect_same(wanted, "tags", fmt::format("{}", fmt::join(tags, "|")),
                "'q', 'https://h.test/', tags => $1::text::text[]",
                db::Params().text(tags.empty() ? "{}" : db::text_array_literal(tags)));
  };
  check({});
  for (const std::string& tag :
       {std::string("a"), std::string(""), std::string("a b"), std::string("a,b"),
        std::string("a-b+c.~!"), std::string("ä"), std::string("\""), std::string(64, 't'),
        std::string(65, 't'), std::string("a\n")}) {
    check({"fine", tag});
  }
  check(std::vector<std::string>(16, "t"));
  check(std::vector<std::string>(17, "t"));
  for (const char* odd : {"{a,NULL}", "{{a},{b}}"}) {
    EXPECT_TRUE(refused("'q', 'https://h.test/', tags => $1::text::text[]", db::Params().text(odd))
                    .starts_with("tags: "));
  }
}

TEST_F(BothDoors, Numbers) {
  for (const std::int64_t value : {-1, 0, 1, 99, 100, 101, 2147483647}) {
    Creation wanted = good();
    wanted.max_retries = value;
    expect_same(wanted, "max_retries", std::to_string(value),
                "'q', 'https://h.test/', max_retries => $1::integer",
                db::Params().int4(static_cast<std::int32_t>(value)));
  }
  for (const std::int64_t ms : {-1, 0, 999, 1000, 1800000, 1800001, 2147483647}) {
    Creation wanted = good();
    wanted.timeout = Milliseconds{ms};
    expect_same(wanted, "timeout", std::to_string(ms),
                "'q', 'https://h.test/', timeout => $1 * interval '1 millisecond'",
                db::Params().int8(ms));
  }
  for (const std::int64_t seconds :
       {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, std::int64_t{kMaxDelay.count()},
        std::int64_t{kMaxDelay.count()} + 1}) {
    Creation wanted = good();
    wanted.delay = seconds;
    expect_same(wanted, "delay", std::to_string(seconds),
                "'q', 'https://h.test/', delay => $1 * interval '1 second'",
                db::Params().int8(seconds));
  }
}

// The times that are neither before nor behind those that Postern keeps are the same for both.
TEST_F(BothDoors, Times) {
  const auto is_time = [&](const char* sql, Time time) {
    return owner_.exec({"", sql}, db::Params().time(time)).boolean(0, 0);
  };
  const Microseconds step{1};
  for (const auto& [time, kept] :
       {std::pair{kFirstTime, true}, std::pair{kFirstTime - step, false},
        std::pair{kLastTime, true}, std::pair{kLastTime + step, false}}) {
    EXPECT_EQ(is_time("SELECT postern.is_time($1)", time), kept);
    try {
      owner_.exec({"",
                   "INSERT INTO postern.task (id, tenant, queue, url, state, deadline) VALUES "
                   "(gen_random_uuid(), 'default', 'q', 'http://h.test/', 'ready', $1)"},
                  db::Params().time(time));
      EXPECT_TRUE(kept);
    } catch (const db::PgError& error) {
      EXPECT_FALSE(kept) << error.what();
    }
  }
  const Time now = db::transaction_time(*app_);
  const Seconds hour{3600};
  for (const Time time : {now - hour, now + hour, now + kMaxDelay - hour, now + kMaxDelay + hour}) {
    Creation wanted = good();
    wanted.run_at = time;
    expect_same(wanted, "run_at", format_rfc3339(time), "'q', 'https://h.test/', run_at => $1",
                db::Params().time(time));
  }
  for (const Time time : {now - hour, now + hour, kLastTime}) {
    for (const auto delay : {Seconds{0}, 2 * hour}) {
      Creation wanted = good();
      wanted.deadline = time;
      wanted.delay = delay.count();
      expect_same(wanted, "deadline", format_rfc3339(time),
                  "'q', 'https://h.test/', deadline => $1, delay => $2 * interval '1 second'",
                  db::Params().time(time).int8(delay.count()));
    }
  }
  for (const char* odd : {"-infinity", "infinity", "1969-12-31", "10000-01-02", "4713-01-01 BC"}) {
    for (const std::string argument : {"run_at", "deadline"}) {
      EXPECT_TRUE(refused("'q', 'https://h.test/', " + argument + " => $1::text::timestamptz",
                          db::Params().text(odd))
                      .starts_with(argument + ": "))
          << odd;
    }
  }
  for (const char* odd : {"178000000 years", "-178000000 years"}) {
    for (const std::string argument : {"delay", "timeout"}) {
      EXPECT_TRUE(refused("'q', 'https://h.test/', " + argument + " => $1::text::interval",
                          db::Params().text(odd))
                      .starts_with(argument + ": "))
          << odd;
    }
  }
}

}  // namespace
}  // namespace postern::test
