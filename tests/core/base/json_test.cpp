#include "core/base/json.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/core/result_text.h"

namespace postern {
namespace {

using namespace std::string_literals;

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

// `json` nested in `levels` arrays.
std::string nested(int levels, const std::string& json = "") {
  return repeat("[", levels) + json + repeat("]", levels);
}

TEST(ParseJsonObject, SlicesTheMembersInOrder) {
  const std::string text =
      " {\"a\" : 1 ,\n\"b\":\"x\\\"y,}\", \"c\":[1, {\"d\":\"]\"} ] ,\"e\": {\"f\": {}}, \"g\":true"
      ",\"h\":null,\"i\":-1.50e+3,\"j\":[],\"k\":{},\"l\":\"\\\\\",\"m\":\"\"} \r\n\t";
  const Result<std::vector<JsonMember>> members = parse_json_object(text);
  ASSERT_EQ(outcome(members), "ok");
  const std::pair<const char*, const char*> expected[] = {
      {"a", "1"},
      {"b", R"("x\"y,}")"},
      {"c", R"([1, {"d":"]"} ])"},
      {"e", R"({"f": {}})"},
      {"g", "true"},
      {"h", "null"},
      {"i", "-1.50e+3"},
      {"j", "[]"},
      {"k", "{}"},
      {"l", R"("\\")"},
      {"m", R"("")"},
  };
  ASSERT_EQ(members->size(), std::size(expected));
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_EQ((*members)[i].key, expected[i].first);
    EXPECT_EQ((*members)[i].raw, expected[i].second);
  }
  EXPECT_EQ(parse_json_object("{}")->size(), 0u);
  EXPECT_EQ(parse_json_object(" { } ")->size(), 0u);
}

TEST(ParseJsonObject, KeepsAPayloadByteForByte) {
  for (const std::string& payload : {
           R"({"b":1,"a":2,"b":3})"s,  // doubled and unsorted keys inside a payload are kept
           "{ \"a\" :\t1 }"s,
           R"({"nul":"\u0000","escaped":"\/\u00e9\ud83d\ude00"})"s,
           "\"caf\xc3\xa9 \xf0\x9f\x98\x80\""s,
           std::string(400, '9'),
           "1e400"s,
           "-1E-400"s,
           "0.1000000000000000055511151231257827"s,
           "1.0"s,
           "-0"s,
           R"("\\\\\"")"s,
           R"({"}":"{","]":["[","\"]"]})"s,
       }) {
    const std::string text = "{\"payload\":" + payload + ",\"z\":0}";
    const auto members = parse_json_object(text);
    ASSERT_EQ(outcome(members), "ok") << text;
    ASSERT_EQ(members->size(), 2u) << text;
    EXPECT_EQ((*members)[0].raw, payload);
    EXPECT_EQ((*members)[1].raw, "0");
  }
}

// The members of JSONTestSuite's n_ files that fit on a line, and more.
TEST(ParseJsonObject, RefusesWhatIsNotJson) {
  for (const std::string& text : {
           ""s,
           " "s,
           "\n"s,
           "{"s,
           "}"s,
           "{}}"s,
           "{}{}"s,
           "{} x"s,
           "{},"s,
           "{}\0"s,
           "\0{}"s,
           "{\"a\"}"s,
           "{\"a\":}"s,
           "{:1}"s,
           "{\"a\":1,}"s,
           "{,}"s,
           "{\"a\":1 \"b\":2}"s,
           "{\"a\" 1}"s,
           "{a:1}"s,
           "{'a':1}"s,
           "{1:1}"s,
           "{\"a\":1"s,
           "{\"a\":\"x"s,
           "{\"a\":[1}"s,
           "{\"a\":[1,]}"s,
           "{\"a\":[,1]}"s,
           "{\"a\":[1 2]}"s,
           "{\"a\":]}"s,
           "{\"a\"::1}"s,
           "{\"a\":1/**/}"s,
           "{\"a\":1}//x"s,
           "{\"a\":1}#"s,
           "{\"a\":NaN}"s,
           "{\"a\":nan}"s,
           "{\"a\":Infinity}"s,
           "{\"a\":-Infinity}"s,
           "{\"a\":tru}"s,
           "{\"a\":True}"s,
           "{\"a\":nul}"s,
           "{\"a\":undefined}"s,
           "{\"a\":truee}"s,
           "{\"a\":01}"s,
           "{\"a\":+1}"s,
           "{\"a\":-}"s,
           "{\"a\":--1}"s,
           "{\"a\":1.}"s,
           "{\"a\":.5}"s,
           "{\"a\":1.e1}"s,
           "{\"a\":1e}"s,
           "{\"a\":1e+}"s,
           "{\"a\":0x1}"s,
           "{\"a\":1_0}"s,
           "{\"a\":-01}"s,
           "{\"a\":1a}"s,
           "{\"a\":\xef\xbc\x91}"s,
           "{\"a\":'x'}"s,
           "{\"a\":\"\n\"}"s,
           "{\"a\":\"\t\"}"s,
           "{\"a\":\"\0\"}"s,
           "{\"a\":\"\x1f\"}"s,
           "{\"a\":\"\\x00\"}"s,
           "{\"a\":\"\\a\"}"s,
           "{\"a\":\"\\u12\"}"s,
           "{\"a\":\"\\u12G4\"}"s,
           "{\"a\":\"\\\"}"s,
           "{\"a\":\"\\U0041\"}"s,
           "{\"\n\":1}"s,
           "\xef\xbb\xbf{}"s,
           "\xef\xbb\xbf"s,
           "\xfe\xff\0{\0}"s,
           "{\0}\0"s,
           "{\"a\":\"\x80\"}"s,
           "{\"a\":\"\xff\"}"s,
           "{\"a\":\"\xc3\"}"s,
           "{\"a\":\"\xc3(\"}"s,
           "{\"a\":\"\xc0\xaf\"}"s,
           "{\"a\":\"\xe0\x80\xaf\"}"s,
           "{\"a\":\"\xed\xa0\x80\"}"s,
           "{\"a\":\"\xf4\x90\x80\x80\"}"s,
           "{\"a\":\"\xf0\x80\x80\xaf\"}"s,
           "{\"\xff\":1}"s,
           "{\"a\":\"\xe2\x82\"}"s,
           R"({"\ud800":1})"s,
       }) {
    EXPECT_EQ(outcome(parse_json_object(text)), "invalid_json ") << text;
  }
  EXPECT_EQ(outcome(parse_json_object("{", "retry_policy")), "invalid_json retry_policy");
}

TEST(ParseJsonObject, RefusesOtherValuesThanObjects) {
  for (const char* text : {"[]", "null", "true", "1", "\"{}\"", " [{}] "}) {
    EXPECT_EQ(outcome(parse_json_object(text)), "object_required ") << text;
    EXPECT_EQ(outcome(parse_json_object(text, "headers")), "object_required headers") << text;
  }
}

TEST(ParseJsonObject, NestsSixtyFourDeepAndNoDeeper) {
  EXPECT_EQ(outcome(parse_json_object("{\"a\":" + nested(63) + "}")), "ok");
  EXPECT_EQ(outcome(parse_json_object("{\"a\":" + nested(64) + "}")), "invalid_json ");
  const auto objects = [](int levels) {
    return repeat("{\"a\":", levels) + "1" + repeat("}", levels);
  };
  EXPECT_EQ(outcome(parse_json_object(objects(64))), "ok");
  EXPECT_EQ(outcome(parse_json_object(objects(65))), "invalid_json ");
  EXPECT_EQ(outcome(parse_json_object(repeat("[", 100'000))), "invalid_json ");
  EXPECT_EQ(outcome(parse_json_object(repeat("{\"a\":", 100'000))), "invalid_json ");
  // Depth counts open brackets: many shallow values are allowed.
  EXPECT_EQ(outcome(parse_json_object("{\"a\":[" + repeat("[],", 1000) + "[]]}")), "ok");
}

TEST(ParseJsonObject, RefusesADoubledKey) {
  EXPECT_EQ(outcome(parse_json_object(R"({"a":1,"b":2,"a":1})")), "duplicate_field a");
  EXPECT_EQ(outcome(parse_json_object(R"({"a":1,"\u0061":2})")), "duplicate_field a")
      << "keys are compared decoded";
  EXPECT_EQ(outcome(parse_json_object(R"({"a":1,"a":2})", "headers")), "duplicate_field headers.a");
  EXPECT_EQ(outcome(parse_json_object(R"({"a":1,"A":2,"":3})")), "ok");
  EXPECT_EQ(outcome(parse_json_object(R"({"a":{"b":1,"b":2}})")), "ok");
}

TEST(ParseJsonObject, FindsADoubledKeyAmongThousands) {
  std::string text = "{";
  for (std::size_t i = 1; i < kMaxJsonMembers; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_EQ(outcome(parse_json_object(text + "\"last\":0}")), "ok");
  EXPECT_EQ(outcome(parse_json_object(text + "\"k77\":0}")), "duplicate_field k77");
  const std::string too_many = text + "\"k0\":0,\"k77\":0}";
  EXPECT_EQ(outcome(parse_json_object(too_many)), "too_many_fields ");
  EXPECT_EQ(outcome(parse_go_object(too_many)), "too_many_fields ");
  EXPECT_EQ(outcome(json_members(too_many, "headers")), "too_many_fields headers");
}

TEST(ParseGoObject, KeepsDoubledKeysLowersThemAndStopsAtTheEnd) {
  for (const char* text :
       {R"({"Type":1,"tYPE":2,"é":3} {"more")", R"({"Type":1,"tYPE":2,"é":3}x)"}) {
    const auto members = parse_go_object(text);
    ASSERT_TRUE(members) << text;
    ASSERT_EQ(members->size(), 3u);
    EXPECT_EQ((*members)[0].key, "type");
    EXPECT_EQ((*members)[1].key, "type");
    EXPECT_EQ((*members)[1].raw, "2");
    EXPECT_EQ((*members)[2].key, "é");
  }
  EXPECT_EQ(outcome(parse_go_object("")), "invalid_json ");
  EXPECT_EQ(outcome(parse_go_object("{\"a\":1")), "invalid_json ");
  EXPECT_EQ(outcome(parse_go_object("[1] {}")), "object_required ");
}

TEST(ParseJsonObject, DecodesKeys) {
  const auto members = parse_json_object(R"({"\u0000\n\u00e9\ud83d\ude00\\":1})");
  ASSERT_EQ(outcome(members), "ok");
  EXPECT_EQ((*members)[0].key, "\0\n\xc3\xa9\xf0\x9f\x98\x80\\"s);
}

TEST(JsonElements, AreViewsOfTheArray) {
  const std::vector<std::string_view> expected = {"1", "\"a,]\"", "[2, 3]", "{\"b\":[]}", "null"};
  EXPECT_EQ(json_elements(R"( [1 , "a,]",[2, 3] ,{"b":[]}, null ] )"), expected);
  EXPECT_TRUE(json_elements("[]").empty());
  EXPECT_TRUE(json_elements("[ ]").empty());
  EXPECT_EQ(json_elements("[1,2,3]", 2), (std::vector<std::string_view>{"1", "2"}));
}

TEST(IsJson, TakesAnyWholeValue) {
  for (const char* text : {"1", "null", "[1,{\"a\":1,\"a\":2}]", " \"x\" "}) {
    EXPECT_TRUE(is_json(text)) << text;
  }
  const std::string deep = std::string(70, '[') + std::string(70, ']');
  EXPECT_FALSE(is_json(deep));
  EXPECT_TRUE(is_json(deep, 80));
  for (const char* text : {"", "[1", "1 2", "x", "{\"a\":}"}) EXPECT_FALSE(is_json(text)) << text;
  EXPECT_EQ(valid_json_bytes("{\"a\":x}"), 5u);
}

TEST(JsonKindOf, IsToldByTheFirstByte) {
  const std::pair<const char*, JsonKind> table[] = {
      {"null", JsonKind::null},    {"true", JsonKind::boolean}, {"false", JsonKind::boolean},
      {"-1", JsonKind::number},    {"0", JsonKind::number},     {"9e9", JsonKind::number},
      {"\"1\"", JsonKind::string}, {"[]", JsonKind::array},     {"{}", JsonKind::object},
  };
  for (const auto& [raw, kind] : table) EXPECT_EQ(json_kind(raw), kind) << raw;
}

TEST(JsonNumber, IsTheNearestDouble) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::pair<const char*, double> table[] = {
      {"0", 0},
      {"-12.5e1", -125},
      {"0.1", 0.1},
      {"1e15", 1e15},
      {"9007199254740993", 9007199254740992},
      {"4.9e-324", 4.9e-324},
      {"0e888888885", 0},
      {"-0.0e99999999999999999999", 0},
      {"1e-400", 0},
      {"-1e-99999999999999999999", 0},
      {"1e400", kInfinity},
      {"-1e99999999999999999999", -kInfinity},
  };
  for (const auto& [raw, number] : table) EXPECT_EQ(json_number(raw), number) << raw;
  EXPECT_EQ(json_number("1" + std::string(400, '0') + "e-400"), 1);
}

TEST(JsonString, DecodesEscapes) {
  const std::pair<const char*, std::string> table[] = {
      {R"("")", ""},
      {R"("plain")", "plain"},
      {R"("\"\\\/\b\f\n\r\t")", "\"\\/\b\f\n\r\t"},
      {R"("a\u0041b")", "aAb"},
      {R"("\u0000")", "\0"s},
      {R"("\u007f\u0080\u07ff\u0800\uffff")", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
      {R"("\uD83D\uDE00\ud800\udc00\udbff\udfff")",
       "\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
      {R"("\ud7ff\ue000")", "\xed\x9f\xbf\xee\x80\x80"},
      {"\"caf\xc3\xa9\\n\"", "caf\xc3\xa9\n"},
      {R"("\\u0041")", "\\u0041"},
  };
  for (const auto& [raw, text] : table) {
    const Result<std::string> decoded = json_string(raw, "f");
    ASSERT_EQ(outcome(decoded), "ok") << raw;
    EXPECT_EQ(*decoded, text) << raw;
  }
}

// Half a surrogate pair is JSON, and passes inside a value whose bytes are kept.
TEST(ParseJsonObject, TakesLoneSurrogatesInValues) {
  using std::string_literals::operator""s;
  for (const std::string& text :
       {R"({"a":"\ud800"})"s, R"({"a":"\ud800x"})"s, R"({"a":"\uD800\n"})"s, R"({"a":"\udc00"})"s,
        R"({"a":"\ud800\ud800"})"s, R"({"a":"\ud800\u0041"})"s,
        R"({"a":[{"b":"\\\ud83d\ud83d\ude00"}]})"s}) {
    const auto members = parse_json_object(text);
    ASSERT_TRUE(members) << text;
    EXPECT_EQ(members->at(0).raw, text.substr(5, text.size() - 6));
    EXPECT_TRUE(is_json(text));
  }
  for (const char* text : {R"({"a":"\ud800)", R"({"a":"\ud800"}})", R"({"a":"\ud80"})",
                           R"({"a":"\ud800" 1})", R"({"a":"\ud8zz"})"}) {
    EXPECT_EQ(outcome(parse_json_object(text)), "invalid_json ") << text;
  }
}

TEST(JsonString, RefusesLoneSurrogates) {
  for (const char* raw : {R"("\ud800")", R"("\udbff ")", R"("\udc00")", R"("\udfff\ud800")",
                          R"("\ud800\n")", R"("\ud800\u0041")", R"("\ud800\ud800")"}) {
    EXPECT_EQ(outcome(json_string(raw, "name")), "invalid_json name") << raw;
  }
}

}  // namespace
}  // namespace postern
