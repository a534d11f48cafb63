#include "core/wire/creation_json.h"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

namespace postern {
namespace {

using namespace std::string_literals;

// Random creations with difficult texts: quotes, control characters, other scripts, and bodies that
// are not UTF-8.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  bool coin() { return random_() % 2 == 0; }
  std::int64_t number() { return static_cast<std::int64_t>(random_() % 1'000'000) - 500'000; }
  std::string text() {
    static const std::array kPieces{"a"s,      "\""s,         "\\"s, "\n"s, "\0"s,      "\u00e4"s,
                                    "\u20ac"s, "\U0001F600"s, "/"s,  "{}"s, "\\u0041"s, " "s};
    std::string out;
    for (std::size_t left = random_() % 6; left > 0; --left) {
      out += kPieces[random_() % kPieces.size()];
    }
    return out;
  }
  std::string bytes() {
    std::string out = text();
    if (coin()) out += static_cast<char>(random_() % 256);
    return out;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> out(random_() % 3);
    for (auto& each : out) each = text();
    return out;
  }
  template <class Make>
  auto maybe(Make make) {
    return coin() ? std::optional(make()) : std::nullopt;
  }

  Creation creation() {
    const auto time = [this] { return Time{Microseconds{number()}}; };
    Creation out;
    out.dialect = static_cast<Dialect>(random_() % 4);
    out.queue = text();
    out.url = text();
    out.endpoint = text();
    out.method = maybe([this] { return text(); });
    for (std::size_t left = random_() % 3; left > 0; --left)
      out.headers.push_back({text(), text()});
    out.body_form = coin() ? BodyForm::raw : BodyForm::payload;
    out.body = maybe([this] { return bytes(); });
    out.content_type = text();
    out.priority = static_cast<int>(number());
    out.max_retries = maybe([this] { return number(); });
    out.retry_policy = maybe([this] { return text(); });
    out.timeout = maybe([this] { return Milliseconds{number()}; });
    out.delay = number();
    out.run_at = maybe(time);
    out.deadline = maybe(time);
    out.tags = texts();
    out.key = text();
    out.dependencies = texts();
    out.on_complete_url = text();
    out.on_failure_url = text();
    out.extra = text();
    return out;
  }

 private:
  std::mt19937 random_;
};

TEST(CreationJson, ReadsBackWhatItWrote) {
  Generator generator(1);
  for (int i = 0; i < 2000; ++i) {
    const Creation wanted = generator.creation();
    const std::string json = creation_json(wanted);
    Creation read = creation_from_json(json);
    ASSERT_NE(read.fields, nullptr);
    read.fields = wanted.fields;
    ASSERT_EQ(read, wanted) << json;
  }
}

TEST(CreationJson, KeepsABodyReadable) {
  Creation wanted;
  wanted.queue = "q";
  wanted.url = "https://a.test/";
  wanted.body = R"({"a": 1.0})";
  EXPECT_EQ(creation_json(wanted),
            R"({"queue":"q","url":"https://a.test/","body":"{\"a\": 1.0}","priority":50})");
}

TEST(CreationJson, IgnoresFieldsOfNewerVersions) {
  EXPECT_EQ(creation_from_json(R"({"queue":"q","priority":50,"later":[1]})").queue, "q");
}

TEST(CreationJson, RefusesWhatItDoesNotWrite) {
  for (const char* json :
       {"", "[]", "null", "{", R"({"queue":1})", R"({"dialect":"x"})", R"({"body_form":"x"})",
        R"({"tags":"a"})", R"({"headers":[["a"]]})", R"({"headers":{"a":"b"}})",
        R"({"body_base64":"?"})", R"({"timeout_ms":"1"})"}) {
    EXPECT_THROW(creation_from_json(json), std::runtime_error) << json;
  }
}

}  // namespace
}  // namespace postern
