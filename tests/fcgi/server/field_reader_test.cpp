#include "fcgi/server/field_reader.h"

#include <gtest/gtest.h>

#include <limits>

namespace postern {
namespace {

FieldReader reader(std::string_view body) { return FieldReader::parse(body).value(); }

TEST(FieldReader, ReadsEachType) {
  const std::string_view body =
      R"({"t":"a\u00e4","n":-5,"w":"2025-01-15T10:30:00Z","o":{"x": 1},"l":["a","b"],"h":{"A":"1"},"p":"x","q":{"y":2}})";
  FieldReader fields = reader(body);
  EXPECT_EQ(fields.text("t"), "a\xC3\xA4");
  EXPECT_EQ(fields.integer("n"), -5);
  EXPECT_EQ(fields.time("w"), parse_rfc3339("2025-01-15T10:30:00Z"));
  EXPECT_EQ(fields.object("o", "r"), R"({"x": 1})");
  EXPECT_EQ(fields.texts("l"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(fields.headers("h"), (Headers{{"A", "1"}}));
  EXPECT_EQ(fields.text_or_object("p"), "x");
  EXPECT_EQ(fields.text_or_object("q"), R"({"y":2})");
  EXPECT_TRUE(fields.finish());
}

TEST(FieldReader, ReadsBooleansAndTellsNullFromAbsence) {
  FieldReader fields = reader(R"({"y":true,"n":false,"null":null})");
  EXPECT_EQ(fields.boolean("y"), true);
  EXPECT_EQ(fields.boolean("n"), false);
  EXPECT_EQ(fields.boolean("absent"), std::nullopt);
  EXPECT_TRUE(fields.has("null"));
  EXPECT_FALSE(fields.has("absent"));
  EXPECT_FALSE(fields.finish()) << "to ask whether it is there does not take it";
  EXPECT_EQ(fields.boolean("null"), std::nullopt);
  EXPECT_TRUE(fields.finish());
}

TEST(FieldReader, ReadsARateLimit) {
  FieldReader fields = reader(
      R"({"a":{"count":3,"period_seconds":60},"b":{"burst":2,"count":1,"period_seconds":1},"c":null})");
  EXPECT_EQ(fields.rate_limit("a"), (RateLimit{3, Seconds{60}, {}}));
  EXPECT_EQ(fields.rate_limit("b"), (RateLimit{1, Seconds{1}, 2}));
  EXPECT_EQ(fields.rate_limit("c"), std::nullopt);
  EXPECT_TRUE(fields.finish());
}

TEST(FieldReader, NamesTheObjectBeforeAFieldWithin) {
  Result<FieldReader> within = FieldReader::parse(R"({"n":"5","x":1})", "outer");
  ASSERT_TRUE(within);
  EXPECT_EQ(within->finish().error().field, "outer.n");
  within->integer("n");
  EXPECT_EQ(within->finish().error().field, "outer.n");
  EXPECT_EQ(within->finish().error().reason, "invalid_type");
  EXPECT_EQ(FieldReader::parse("[]", "outer").error().field, "outer");
}

TEST(FieldReader, TakesNullForAbsent) {
  FieldReader fields =
      reader(R"({"a":null,"b":null,"c":null,"d":null,"e":null,"f":null,"g":null})");
  EXPECT_EQ(fields.text("a"), std::nullopt);
  EXPECT_EQ(fields.integer("b"), std::nullopt);
  EXPECT_EQ(fields.time("c"), std::nullopt);
  EXPECT_EQ(fields.object("d", "r"), std::nullopt);
  EXPECT_TRUE(fields.texts("e").empty());
  EXPECT_TRUE(fields.headers("f").empty());
  EXPECT_FALSE(fields.present("g"));
  EXPECT_TRUE(fields.finish());
}

TEST(FieldReader, RefusesWrongTypes) {
  using Read = void (*)(FieldReader&);
  const Read text = [](FieldReader& fields) { fields.text("f"); };
  const Read integer = [](FieldReader& fields) { fields.integer("f"); };
  const Read object = [](FieldReader& fields) { fields.object("f", "invalid_type"); };
  const Read texts = [](FieldReader& fields) { fields.texts("f"); };
  const Read boolean = [](FieldReader& fields) { fields.boolean("f"); };
  const Read rate_limit = [](FieldReader& fields) { fields.rate_limit("f"); };
  const Read headers = [](FieldReader& fields) { fields.headers("f"); };
  const Read either = [](FieldReader& fields) { fields.text_or_object("f"); };
  const std::pair<Read, std::string_view> cases[] = {
      {text, "5"},
      {text, "true"},
      {text, "{}"},
      {text, "[\"a\"]"},
      {boolean, "1"},
      {boolean, "\"true\""},
      {rate_limit, "10"},
      {rate_limit, "[]"},
      {integer, "1.5"},
      {integer, "\"5\""},
      {integer, "1e3"},
      {integer, "1.0"},
      {integer, "true"},
      {integer, "[1]"},
      {integer, "1E400"},
      {object, "[]"},
      {object, "\"{}\""},
      {object, "1"},
      {texts, "\"a\""},
      {texts, "{}"},
      {texts, "[1]"},
      {texts, "[\"a\",null]"},
      {texts, "[[\"a\"]]"},
      {headers, "[]"},
      {headers, "{\"A\":1}"},
      {headers, "{\"A\":null}"},
      {headers, "\"A: 1\""},
      {either, "5"},
      {either, "[]"},
      {either, "false"},
  };
  for (const auto& [read, value] : cases) {
    const std::string body = "{\"f\":" + std::string(value) + "}";
    FieldReader fields = reader(body);
    read(fields);
    const auto result = fields.finish();
    ASSERT_FALSE(result) << body;
    EXPECT_EQ(result.error().reason, "invalid_type") << body;
    EXPECT_TRUE(result.error().field.starts_with("f")) << body;
  }
}

TEST(FieldReader, ReadsBooleansDurationsAndAnyJson) {
  FieldReader fields = reader(R"({"y":true,"n":false,"d":"1m30s","j":[1, null],"null":null})");
  EXPECT_EQ(fields.boolean("y"), true);
  EXPECT_EQ(fields.boolean("n"), false);
  EXPECT_EQ(fields.boolean("absent"), std::nullopt);
  EXPECT_EQ(fields.boolean("null"), std::nullopt);
  EXPECT_EQ(fields.duration("d"), std::chrono::seconds{90});
  EXPECT_EQ(fields.json("j"), "[1, null]");
  EXPECT_TRUE(fields.finish());
}

TEST(FieldReader, RefusesWhatIsNoBoolean) {
  for (const char* body : {R"({"f":1})", R"({"f":"true"})", R"({"f":[]})"}) {
    FieldReader fields = reader(body);
    EXPECT_EQ(fields.boolean("f"), std::nullopt) << body;
    EXPECT_EQ(fields.finish().error().reason, "invalid_type") << body;
  }
}

TEST(FieldReader, ADurationHasAUnit) {
  for (const char* value : {"60", "\"60\"", "\"\"", "\"1 h\"", "true", "{}"}) {
    const std::string body = R"({"d":)" + std::string(value) + "}";
    FieldReader fields = reader(body);
    EXPECT_EQ(fields.duration("d"), std::nullopt) << body;
    EXPECT_EQ(fields.finish().error().reason, "invalid_duration") << body;
    EXPECT_EQ(fields.finish().error().field, "d") << body;
  }
}

TEST(FieldReader, CutsIntegersThatDoNotFit) {
  FieldReader fields = reader(R"({"a":9223372036854775808,"b":-1000000000000000000000})");
  EXPECT_EQ(fields.integer("a"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(fields.integer("b"), std::numeric_limits<std::int64_t>::min());
  EXPECT_TRUE(fields.finish());
}

TEST(FieldReader, NamesTheFirstErrorAndReadsNothingAfterIt) {
  FieldReader fields = reader(R"({"b":1,"a":1,"c":"x","d":1})");
  EXPECT_EQ(fields.text("a"), std::nullopt);
  EXPECT_EQ(fields.text("b"), std::nullopt);
  EXPECT_EQ(fields.text("c"), std::nullopt);
  EXPECT_EQ(fields.finish().error().field, "a");
}

TEST(FieldReader, RefusesFieldsThatNobodyAsksFor) {
  FieldReader fields = reader(R"({"known":1,"dealy":2})");
  fields.integer("known");
  const auto result = fields.finish();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, "unknown_field");
  EXPECT_EQ(result.error().field, "dealy");
}

TEST(FieldReader, RefusesWhatIsNoObject) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "invalid_json"},
      {"[]", "object_required"},
      {"\"a\"", "object_required"},
      {"{\"a\":1,}", "invalid_json"},
      {"{} x", "invalid_json"},
      {"{\"a\":\"\xFF\"}", "invalid_json"},
      {"{\"a\":1,\"a\":2}", "duplicate_field"},
  };
  for (const auto& [body, reason] : cases) {
    const auto result = FieldReader::parse(body);
    ASSERT_FALSE(result) << body;
    EXPECT_EQ(result.error().reason, reason) << body;
  }
}

TEST(FieldReader, RefusesAHeaderGivenTwice) {
  FieldReader fields = reader(R"({"h":{"A":"1","A":"2"}})");
  fields.headers("h");
  EXPECT_EQ(fields.finish().error().reason, "duplicate_field");
  EXPECT_EQ(fields.finish().error().field, "h.A");
}

TEST(FieldReader, CutsLongNamesInErrors) {
  FieldReader fields = reader("{\"" + std::string(5000, 'x') + "\":1}");
  EXPECT_LE(fields.finish().error().field.size(), 100u);
}

TEST(FieldReader, ReadsBooleansAndElements) {
  FieldReader fields =
      reader(R"({"t":true,"f":false,"n":null,"e":[1, "a,]" ,{"b":[]}],"empty":[]})");
  EXPECT_EQ(fields.boolean("t"), true);
  EXPECT_EQ(fields.boolean("f"), false);
  EXPECT_EQ(fields.boolean("n"), std::nullopt);
  const std::vector<std::string_view> expected{"1", "\"a,]\"", "{\"b\":[]}"};
  EXPECT_EQ(fields.elements("e"), expected);
  EXPECT_EQ(fields.elements("empty")->size(), 0u);
  EXPECT_EQ(fields.elements("none"), std::nullopt);
  EXPECT_TRUE(fields.finish());
  for (const char* body : {R"({"x":1})", R"({"x":"true"})", R"({"x":{}})"}) {
    FieldReader wrong = reader(body);
    wrong.boolean("x");
    EXPECT_EQ(wrong.finish().error().reason, "invalid_type") << body;
    FieldReader also = reader(body);
    also.elements("x");
    EXPECT_EQ(also.finish().error().reason, "invalid_type") << body;
  }
}

// Whoever counts them finds too many, however many there are.
TEST(FieldReader, ReadsNoMoreElementsThanOneTooMany) {
  std::string many = R"({"x":[)";
  for (int i = 0; i < 100'000; ++i) many += "\"\",";
  many += R"(""]})";
  FieldReader texts = reader(many);
  EXPECT_EQ(texts.texts("x").size(), FieldReader::kMostElements);
  FieldReader elements = reader(many);
  EXPECT_EQ(elements.elements("x")->size(), FieldReader::kMostElements);
}

TEST(FieldReader, ReadsAPartOfABody) {
  auto part = FieldReader::part(R"({"a":1})", "x");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->integer("a"), 1);
  EXPECT_EQ(FieldReader::part("[]", "x").error().reason, "object_required");
  EXPECT_EQ(FieldReader::part(R"({"a":1,"a":2})", "x").error().field, "x.a");
}

}  // namespace
}  // namespace postern
