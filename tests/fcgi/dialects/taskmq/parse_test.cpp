// What TaskMQ's bodies may hold, and what is said about those that are wrong.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>
#include <vector>

#include "core/time/isoformat.h"
#include "core/wire/taskmq.h"
#include "fcgi/dialects/taskmq/wire.h"

namespace postern::taskmq_wire {
namespace {

using boost::json::serialize;

// A body whose other fields are right. Without a value the field is left out.
std::string with(const std::string& field, const std::string& value) {
  std::string body = "{";
  for (const auto& [name, good] :
       {std::pair{std::string("payload"), std::string("{}")}, {"handler", "\"mail\""}}) {
    if (name != field) body += "\"" + name + "\":" + good + ",";
  }
  return body + (value.empty() ? R"("unknown":1})" : "\"" + field + "\":" + value + "}");
}

// What is answered for these mistakes, without what is around the list.
boost::json::array told(const Mistakes& mistakes) {
  const HttpResponse response = refusal(mistakes);
  EXPECT_EQ(response.status, 422);
  return boost::json::parse(response.body).at("detail").as_array();
}

Creation job_of(const std::string& body) {
  auto wanted = parse_job(body);
  if (wanted) return std::move(*wanted);
  ADD_FAILURE() << body << " " << refusal(wanted.error()).body;
  return {};
}

std::string told_of(std::string_view body) {
  const auto wanted = parse_job(body);
  return wanted ? "accepted" : serialize(told(wanted.error()));
}

TEST(TaskMqParse, ReadsEveryField) {
  const Creation wanted =
      job_of(R"({"payload":{"b": 1e2,"a":[],"a":{}},"handler":"mail: new!","priority":20,)"
             R"("retry_policy":"exponential","scheduled_for":"2030-01-02T03:04:05.678901+00:00",)"
             R"("interval_seconds":60,"unknown":[1]})");
  EXPECT_EQ(wanted.dialect, Dialect::taskmq);
  EXPECT_EQ(wanted.queue, "taskmq");
  EXPECT_EQ(wanted.endpoint, "mail: new!");
  EXPECT_EQ(wanted.url, "");
  EXPECT_EQ(wanted.body, R"({"b": 1e2,"a":[],"a":{}})");
  EXPECT_EQ(wanted.priority, 75);
  EXPECT_EQ(wanted.extra, R"({"priority":20})");
  EXPECT_EQ(wanted.retry_policy, "taskmq-exponential");
  EXPECT_EQ(wanted.max_retries, 2);  // three attempts in all
  EXPECT_EQ(wanted.run_at, parse_isoformat("2030-01-02T03:04:05.678901Z"));
  EXPECT_EQ(wanted.repeat, Seconds{60});
}

TEST(TaskMqParse, FillsInWhatIsLeftOut) {
  const Creation wanted = job_of(R"({"payload":{},"handler":"mail"})");
  EXPECT_EQ(wanted.body, "{}");
  EXPECT_EQ(wanted.priority, 25);
  EXPECT_EQ(wanted.extra, R"({"priority":0})");
  EXPECT_EQ(wanted.retry_policy, "taskmq-fixed");
  EXPECT_EQ(wanted.max_retries, 2);
  EXPECT_EQ(wanted.run_at, std::nullopt);
  EXPECT_EQ(wanted.repeat, Seconds{0});
}

// As pydantic 1 takes them.
TEST(TaskMqParse, TakesIntegersInEveryForm) {
  for (const auto& [sent, taken] : {std::pair{"10", 10},
                                    {"-7", -7},
                                    {"1000000", 1000000},
                                    {R"("10")", 10},
                                    {R"(" +20 ")", 20},
                                    {"3.9", 3},
                                    {"2e1", 20},
                                    {"true", 1},
                                    {"false", 0}}) {
    EXPECT_EQ(job_of(with("priority", sent)).extra, taskmq_extra(taken)) << sent;
  }
  for (const auto& [sent, taken] :
       {std::pair{"null", 0}, {R"("60")", 60}, {"1", 1}, {"316224000", 316224000}}) {
    EXPECT_EQ(job_of(with("interval_seconds", sent)).repeat, Seconds{taken}) << sent;
  }
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  for (const auto& [sent, taken] : {std::pair{R"({"job_id":123})", std::int64_t{123}},
                                    {R"({"job_id":"123","unknown":1})", 123},
                                    {R"({"job_id":-1})", -1},
                                    {R"({"job_id":99999999999999999999})", kMost}}) {
    EXPECT_EQ(*parse_job_id(sent), taken) << sent;
  }
}

TEST(TaskMqParse, TakesTextsInEveryForm) {
  for (const auto& [sent, taken] :
       {std::pair{"7", "7"}, {"1.5", "1.5"}, {R"("a b/\u00e9")", "a b/\u00e9"}, {R"(" ")", " "}}) {
    EXPECT_EQ(job_of(with("handler", sent)).endpoint, taken) << sent;
  }
  EXPECT_EQ(job_of(with("handler", "\"" + std::string(128, 'h') + "\"")).endpoint.size(), 128u);
  EXPECT_EQ(job_of(with("retry_policy", R"("none")")).retry_policy, "none");
}

TEST(TaskMqParse, TakesTimesInEveryForm) {
  for (const auto& [sent, taken] :
       {std::pair{R"("2030-01-02T03:04:05Z")", "2030-01-02T03:04:05+00:00"},
        {R"("2030-01-02 03:04:05.5")", "2030-01-02T03:04:05.500000+00:00"},
        {R"("2030-01-02T03:04:05.123456+02:00")", "2030-01-02T01:04:05.123456+00:00"},
        {"1893553445", "2030-01-02T03:04:05+00:00"},
        {"1893553445.5", "2030-01-02T03:04:05.500000+00:00"},
        {R"("1893553445")", "2030-01-02T03:04:05+00:00"},
        {"1893553445000", "2030-01-02T03:04:05+00:00"},
        {"1893553445000000", "2030-01-02T03:04:05+00:00"},
        {"-5", "1970-01-01T00:00:00+00:00"},
        {"1e-400", "1970-01-01T00:00:00+00:00"}}) {
    EXPECT_EQ(format_isoformat(*job_of(with("scheduled_for", sent)).run_at), taken) << sent;
  }
  EXPECT_EQ(job_of(with("scheduled_for", "null")).run_at, std::nullopt);
}

TEST(TaskMqParse, TellsAllMistakesAtOnceInTheOrderOfTheFields) {
  EXPECT_EQ(told_of("{}"),
            R"([{"loc":["body","payload"],"msg":"field required","type":"value_error.missing"},)"
            R"({"loc":["body","handler"],"msg":"field required","type":"value_error.missing"}])");
  const auto wanted =
      parse_job(R"({"interval_seconds":0,"scheduled_for":"soon","retry_policy":"x",)"
                R"("priority":"high","handler":[],"payload":[]})");
  ASSERT_FALSE(wanted);
  std::vector<std::string> fields;
  for (const Mistake& mistake : wanted.error()) fields.push_back(mistake.loc);
  EXPECT_EQ(fields, (std::vector<std::string>{R"("body","payload")", R"("body","handler")",
                                              R"("body","priority")", R"("body","retry_policy")",
                                              R"("body","scheduled_for")",
                                              R"("body","interval_seconds")"}));
}

TEST(TaskMqParse, EachMistakeHasItsTextAndType) {
  constexpr char kMissing[] = "value_error.missing", kNone[] = "type_error.none.not_allowed",
                 kInteger[] = "type_error.integer", kDate[] = "value_error.datetime";
  const std::string long_name(129, 'h');
  const std::string pattern = R"({"pattern":"^[^\\u0000-\\u001f\\u007f]*$"})";
  const auto permitted = [](const std::string& given) {
    return R"({"given":")" + given + R"(","permitted":["fixed","exponential","none"]})";
  };
  const auto limit = [](const std::string& value) { return R"({"limit_value":)" + value + "}"; };
  struct Case {
    std::string field, value, msg, type, ctx = {};
  };
  const Case cases[] = {
      {"payload", "", "field required", kMissing},
      {"payload", "null", "none is not an allowed value", kNone},
      {"payload", R"("text")", "value is not a valid dict", "type_error.dict"},
      {"handler", "", "field required", kMissing},
      {"handler", "null", "none is not an allowed value", kNone},
      {"handler", "{}", "str type expected", "type_error.str"},
      {"handler", R"("")", "ensure this value has at least 1 characters",
       "value_error.any_str.min_length", limit("1")},
      {"handler", "\"" + long_name + "\"", "ensure this value has at most 128 bytes",
       "value_error.any_str.max_length", limit("128")},
      {"handler", R"("a\nb")", "ensure this value has no control characters",
       "value_error.str.regex", pattern},
      {"handler", R"("\u0000")", "ensure this value has no control characters",
       "value_error.str.regex", pattern},
      {"priority", "null", "none is not an allowed value", kNone},
      {"priority", R"("high")", "value is not a valid integer", kInteger},
      {"priority", R"("1.5")", "value is not a valid integer", kInteger},
      {"priority", R"("+-5")", "value is not a valid integer", kInteger},
      {"priority", R"(" ")", "value is not a valid integer", kInteger},
      {"priority", "99999999999999999999", "ensure this value is less than or equal to 2147483647",
       "value_error.number.not_le", limit("2147483647")},
      {"priority", "-2147483649", "ensure this value is greater than or equal to -2147483648",
       "value_error.number.not_ge", limit("-2147483648")},
      {"priority", "[]", "value is not a valid integer", kInteger},
      {"retry_policy", "null", "none is not an allowed value", kNone},
      {"retry_policy", R"("Fixed")", "unexpected value; permitted: 'fixed', 'exponential', 'none'",
       "value_error.const", permitted("Fixed")},
      {"retry_policy", R"("taskmq-fixed")",
       "unexpected value; permitted: 'fixed', 'exponential', 'none'", "value_error.const",
       permitted("taskmq-fixed")},
      {"scheduled_for", R"("tomorrow")", "invalid datetime format", kDate},
      {"scheduled_for", R"("2030-02-30T00:00:00Z")", "invalid datetime format", kDate},
      {"scheduled_for", R"("2030-01-02")", "invalid datetime format", kDate},
      {"scheduled_for", R"("nan")", "invalid datetime format", kDate},
      {"scheduled_for", "1e300", "invalid datetime format", kDate},
      {"scheduled_for", "true", "invalid datetime format", kDate},
      {"interval_seconds", "0", "ensure this value is greater than 0", "value_error.number.not_gt",
       limit("0")},
      {"interval_seconds", "-60", "ensure this value is greater than 0",
       "value_error.number.not_gt", limit("0")},
      {"interval_seconds", "316224001", "ensure this value is less than or equal to 316224000",
       "value_error.number.not_le", limit("316224000")},
      {"interval_seconds", R"("hourly")", "value is not a valid integer", kInteger},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(told_of(with(c.field, c.value)),
              R"([{"loc":["body",")" + c.field + R"("],"msg":")" + c.msg + R"(","type":")" +
                  c.type + "\"" + (c.ctx.empty() ? "" : ",\"ctx\":" + c.ctx) + "}]")
        << c.value;
  }
}

TEST(TaskMqParse, ABodyThatIsNoObjectIsToldByItsPlace) {
  struct Case {
    std::string body, loc, type;
  };
  const Case cases[] = {
      {"", R"(["body"])", "value_error.missing"},
      {"null", R"(["body"])", "value_error.missing"},
      {"[]", R"(["body"])", "type_error.dict"},
      {R"("text")", R"(["body"])", "type_error.dict"},
      {"{", R"(["body",1])", "value_error.jsondecode"},
      {R"({"payload":{},})", R"(["body",14])", "value_error.jsondecode"},
      {"{} x", R"(["body",3])", "value_error.jsondecode"},
      {"nonsense", R"(["body",0])", "value_error.jsondecode"},
      {R"({"handler":"a","handler":"b"})", R"(["body","handler"])", "value_error.duplicate"},
  };
  for (const Case& c : cases) {
    const auto job = parse_job(c.body);
    const auto job_id = parse_job_id(c.body);
    ASSERT_FALSE(job) << c.body;
    ASSERT_FALSE(job_id) << c.body;
    const auto mistakes = told(job.error());
    EXPECT_EQ(told(job_id.error()), mistakes) << c.body;
    ASSERT_EQ(mistakes.size(), 1u);
    EXPECT_EQ(serialize(mistakes[0].at("loc")), c.loc) << c.body;
    EXPECT_EQ(mistakes[0].at("type").as_string(), c.type) << c.body;
    EXPECT_FALSE(mistakes[0].at("msg").as_string().empty()) << c.body;
  }
}

TEST(TaskMqParse, WhereJsonBreaksOffIsToldByLineAndColumn) {
  struct Case {
    std::string body;
    int pos, line, column;
  };
  for (const Case& c : {Case{"nonsense", 0, 1, 1},
                        {"{\n  \"payload\": {},\n  x}", 21, 3, 3},
                        {"\xef\xbb\xbf{]", 1, 1, 2}}) {
    const auto job = parse_job(c.body);
    ASSERT_FALSE(job) << c.body;
    const auto ctx = told(job.error()).at(0).at("ctx").as_object();
    EXPECT_EQ(ctx.at("pos"), c.pos) << c.body;
    EXPECT_EQ(ctx.at("lineno"), c.line) << c.body;
    EXPECT_EQ(ctx.at("colno"), c.column) << c.body;
    EXPECT_TRUE(ctx.at("msg").is_string());
  }
}

TEST(TaskMqParse, AJobIdMustBeAnInteger) {
  for (const auto& [body, type] : {std::pair{R"({"id":1})", "value_error.missing"},
                                   {R"({"job_id":null})", "type_error.none.not_allowed"},
                                   {R"({"job_id":"a1"})", "type_error.integer"},
                                   {R"({"job_id":{}})", "type_error.integer"}}) {
    const auto id = parse_job_id(body);
    ASSERT_FALSE(id) << body;
    const auto mistakes = told(id.error());
    ASSERT_EQ(mistakes.size(), 1u) << body;
    EXPECT_EQ(serialize(mistakes[0].at("loc")), R"(["body","job_id"])") << body;
    EXPECT_EQ(mistakes[0].at("type").as_string(), type) << body;
  }
}

}  // namespace
}  // namespace postern::taskmq_wire
