// One table of cases for both doors, HTTP and SQL: what one refuses the other does, and what both
// take they keep alike. The table says where the SQL door's answer comes: in the call, or when a
// scheduler routes the task.
#include <functional>
#include <optional>

#include <fmt/format.h>

#include "core/model/retry_policy.h"
#include "db/engine/routing.h"
#include "scheduler/duties/route.h"
#include "tests/fcgi/wire.h"
#include "tests/support/tasks.h"

namespace postern::test {
namespace {

enum class Told { nowhere, in_call, at_routing };  // what is wrong

struct Case {
  const char* what;
  std::string queue;   // its settings, members of JSON
  int waiting;         // tasks in it
  std::string fields;  // of the creation, besides queue and webhook_url
  std::string arguments;
  Told told = Told::nowhere;
  std::string http = {};  // the reason of the refusal
  std::string sql = {};   // the argument that the message names, or the reason of the task's end
  std::string url = "http://h.test/p";
};

// `levels` objects, one in the other.
std::string nested(int levels, const std::string& innermost = "{}") {
  std::string out = innermost;
  for (int i = 1; i < levels; ++i) out = R"({"a":)" + out + "}";
  return out;
}
std::string in_array(int levels) {
  return R"({"a":)" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
}

Case payload(const char* what, const std::string& json, const char* http = "") {
  const bool taken = *http == '\0';
  return {what,
          "",
          0,
          R"("payload":)" + json,
          "'" + json + "'",
          taken ? Told::nowhere : Told::in_call,
          http,
          taken ? "" : "payload"};
}
Case target(const char* what, const char* url) {
  Case out{what, "", 0, "", ""};
  out.url = url;
  return out;
}

std::vector<Case> cases() {
  return {
      payload("an object", R"({"a": 1})"),
      payload("none", "null"),
      payload("63 levels", nested(63)),
      payload("64 levels", nested(64), "invalid_json"),
      payload("63 levels with a number in the last", nested(63, R"({"a":1})")),
      payload("63 levels with arrays", in_array(63)),
      payload("64 levels with arrays", in_array(64), "invalid_json"),
      payload("an array", "[1]", "payload_invalid"),
      payload("an array of an object", "[{}]", "payload_invalid"),
      payload("a string", R"("{}")", "payload_invalid"),
      payload("a number", "1", "payload_invalid"),
      payload("a boolean", "true", "payload_invalid"),
      target("a scheme in upper case", "HTTP://h.test/"),
      target("a scheme in both cases", "hTTps://h.test/"),
      target("a host in upper case", "http://H.TEST/P"),
      target("the scheme's own port", "HTTPS://h.test:443/"),
      target("leading zeros of the port", "http://h.test:00081/"),
      target("no path", "http://h.test"),
      target("a query without a path", "http://h.test?a=/b"),
      target("a fragment", "http://h.test/?a#b"),
      target("an IPv6 address", "http://[2001:DB8:0:0:1:0:0:1]:80/"),
      target("an IPv6 address with one group of zeros", "http://[2001:db8:0:1:1:1:1:1]/"),
      target("a mapped IPv4 address", "http://[::FFFF:102:304]/"),
      target("a compatible IPv4 address", "http://[::1.2.3.4]/"),
      target("the last 16 bits of an IPv6 address", "http://[::1F]/"),
      target("the loopback address", "http://[0:0:0:0:0:0:0:1]/"),
      target("no address", "http://[::]/"),
      {"no limit of tries", R"("max_retries":7)", 0, "", ""},
      {"a cap on tries", R"("max_tries":3)", 0, R"("max_retries":9)", "max_retries => 9"},
      {"a cap above", R"("max_tries":30)", 0, R"("max_retries":9)", "max_retries => 9"},
      {"a cap on the queue's retries", R"("max_tries":2,"max_retries":9)", 0, "", ""},
      {"the queue's timeout and policy", R"("timeout_seconds":7,"retry_policy":"linear")", 0, "",
       ""},
      {"all arguments", "", 0,
       R"("method":"PUT","headers":{"X-A":"b"},"priority":9,"timeout":5,"retry_policy":"10m","tags":["x","y"],"delay":60)",
       "method => 'PUT', headers => '{\"X-A\": \"b\"}', priority => 9, timeout => '5 s', "
       "retry_policy => '10m', "
       "tags => '{x,y}', delay => '60 s'"},
      {"a policy of its own", "", 0, R"("retry_policy":{"intervals":[1,2.50],"jitter":0.5})",
       "retry_policy => '{\"intervals\": [1, 2.50], \"jitter\": 0.5}'"},
      {"a start ahead", "", 0, R"("run_at":"2030-01-01T00:00:00Z")",
       "run_at => '2030-01-01 00:00:00+00'"},
      {"a deadline in the past", "", 0, R"("deadline":"2001-01-01T00:00:00Z")",
       "deadline => '2001-01-01 00:00:00+00'", Told::in_call, "deadline_past", "deadline"},
      {"a delay below 0", "", 0, R"("delay":-1)", "delay => '-1 s'", Told::in_call,
       "delay_out_of_range", "delay"},
      {"too many retries", "", 0, R"("max_retries":101)", "max_retries => 101", Told::in_call,
       "max_retries_out_of_range", "max_retries"},
      {"a tag with a space", "", 0, R"("tags":["a b"])", "tags => '{a b}'", Told::in_call,
       "tag_invalid", "tags"},
      {"a body", "", 0, R"("body":"x","content_type":"text/plain")", "'x'::bytea, 'text/plain'"},
      {"a wrong content type", "", 0, R"("body":"x","content_type":"text")", "'x'::bytea, 'text'",
       Told::in_call, "content_type_invalid", "content_type"},
      {"a priority of 0", "", 0, R"("priority":0)", "priority => 0", Told::in_call,
       "priority_out_of_range", "priority"},
      {"a priority of 11", "", 0, R"("priority":11)", "priority => 11", Told::in_call,
       "priority_out_of_range", "priority"},
      {"a header of ours", "", 0, R"("headers":{"Host":"h"})", "headers => '{\"Host\": \"h\"}'",
       Told::in_call, "header_reserved", "headers"},
      {"a GET with a payload", "", 0, R"("method":"GET","payload":{})", "'{}', method => 'GET'",
       Told::in_call, "method_invalid", "method"},
      {"a GET without", "", 0, R"("method":"GET","payload":null)", "'null', method => 'GET'"},
      {"room for one", R"("max_entries":3)", 1, "", ""},
      {"a full queue", R"("max_entries":2)", 2, "", "", Told::at_routing, "queue_full",
       "queue_full"},
      {"a full queue that discards", R"("max_entries":2,"discard_old":true)", 2, "", ""},
      {"as many waiting as may", "", 5, "", "", Told::at_routing, "quota_exceeded",
       "quota_exceeded"},
  };
}

class BothDoorsTest : public WireTest {
 protected:
  static constexpr int kQuota = 5;

  BothDoorsTest() {
    admin_.script(
        "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation "
        "THEN NULL; END $$;"
        "GRANT postern_enqueue TO app; GRANT CONNECT ON DATABASE " +
        database_.name() + " TO app");
    app_.emplace(database_.connect("app"));
    Handlers::Options options;
    options.quotas.waiting = kQuota;
    start(options);
  }

  // What a scheduler does with what came by SQL.
  void route() {
    const auto tasks = db::unrouted_from(scheduler_.exec(db::kUnrouted, db::unrouted_params()));
    std::vector<db::Routing> routings;
    for (const auto& task : tasks) routings.push_back(scheduler::routing_of(task));
    scheduler_.exec(db::kRoute, db::route_params(random_uuid(), routings, kQuota));
  }
  // The task, or what the call says is wrong with it.
  Result<TaskId> enqueue(const std::string& queue, const Case& c) {
    const std::string sql = fmt::format("SELECT postern.enqueue('{}', '{}'{}{})", queue, c.url,
                                        c.arguments.empty() ? "" : ", ", c.arguments);
    try {
      return app_->exec({"", sql.c_str()}).uuid(0, 0);
    } catch (const db::PgError& error) {
      EXPECT_EQ(error.sqlstate(), "23514") << c.what << ": " << error.what();
      return invalid("", "", error.what());
    }
  }
  // Its body may be nested deeper than the tests' reader goes.
  static TaskId made_by(const Answer& created) {
    const std::string& location = created.headers.at("Location");
    return *parse_task_id(location.substr(location.rfind('/') + 1));
  }
  void measure(int waiting) {
    admin_.exec({"",
                 "INSERT INTO postern.tenant_gauge VALUES ('default', $1, 1) "
                 "ON CONFLICT (tenant) DO UPDATE SET waiting = excluded.waiting"},
                db::Params().int4(waiting));
    Handlers::Options options;
    options.quotas.waiting = kQuota;
    start(options);  // which knows of nothing measured before
  }
  void expect_alike(const Case& c, const TaskSpec& http, const TaskSpec& sql) {
    EXPECT_EQ(sql.url, http.url) << c.what;
    EXPECT_EQ(sql.method, http.method) << c.what;
    EXPECT_EQ(sql.max_attempts, http.max_attempts) << c.what;
    EXPECT_EQ(sql.timeout, http.timeout) << c.what;
    EXPECT_EQ(RetryPolicy::parse(sql.retry_policy)->text(), http.retry_policy) << c.what;
    EXPECT_EQ(sql.priority, http.priority) << c.what;
    EXPECT_EQ(sql.headers, http.headers) << c.what;
    EXPECT_EQ(sql.tags, http.tags) << c.what;
    EXPECT_EQ(sql.body.has_value(), http.body.has_value()) << c.what;
    EXPECT_EQ(sql.body_form, http.body_form) << c.what;
    EXPECT_EQ(sql.content_type, http.content_type) << c.what;
  }
  void check(const Case& c, const std::string& queue) {
    ASSERT_EQ(ask("PUT", "/v1/queues/" + queue, "{" + c.queue + "}").status, 201) << c.what;
    for (int i = 0; i < c.waiting; ++i) ASSERT_EQ(create("", queue).status, 201);
    if (c.waiting >= kQuota) measure(c.waiting);

    const Answer http = ask("POST", "/v1/tasks",
                            fmt::format(R"({{"queue":"{}","webhook_url":"{}"{}{}}})", queue, c.url,
                                        c.fields.empty() ? "" : ",", c.fields));
    const auto in_call = enqueue(queue, c);
    const auto before = in_call ? read(admin_, *in_call) : std::nullopt;
    route();
    const auto sql = in_call ? read(admin_, *in_call) : std::nullopt;

    EXPECT_EQ(http.status == 201, c.told == Told::nowhere) << c.what << ": " << http.body;
    EXPECT_EQ(in_call.has_value(), c.told != Told::in_call)
        << c.what << ": " << (in_call ? "" : in_call.error().message);
    if (http.status != 201) {
      EXPECT_EQ(http.reason(), c.http) << c.what << ": " << http.body;
    }
    if (!in_call) {
      EXPECT_TRUE(in_call.error().message.starts_with(c.sql + ": ")) << in_call.error().message;
      return;
    }
    EXPECT_FALSE(is_finished(before->state)) << c.what;
    EXPECT_EQ(is_finished(sql->state), c.told == Told::at_routing)
        << c.what << ": " << sql->last_error;
    EXPECT_EQ(name(sql->reason), c.sql) << c.what;
    if (http.status != 201) return;
    const auto made = read(admin_, made_by(http));
    expect_alike(c, made->spec, before->spec);
    expect_alike(c, made->spec, sql->spec);
  }

  db::PgConnection scheduler_ = database_.connect("postern_scheduler");
  std::optional<db::PgConnection> app_;
};

TEST_F(BothDoorsTest, JudgeAlike) {
  int number = 0;
  for (const auto& c : cases()) check(c, fmt::format("q{}", ++number));
}

}  // namespace
}  // namespace postern::test
