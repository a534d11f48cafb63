#include "fcgi/server/http.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(SetParam, FillsTheRequest) {
  HttpRequest request;
  set_param(request, "REQUEST_METHOD", "GET");
  set_param(request, "DOCUMENT_URI", "/v1/tasks");
  set_param(request, "POSTERN_VERDICT", "ok");
  set_param(request, "POSTERN_KEY_TENANT", "acme");
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path, "/v1/tasks");
  EXPECT_EQ(request.verdict, Verdict::ok);
  EXPECT_EQ(request.key_tenant, "acme");
}

TEST(SetParam, TakesNothingFromClientHeaders) {
  HttpRequest request;
  for (const char* name :
       {"HTTP_POSTERN_VERDICT", "HTTP_POSTERN_ROLE", "HTTP_PROXY", "HTTP_AUTHORIZATION",
        "HTTP_IDEMPOTENCY_KEY", "postern_verdict", "POSTERN_VERDICT "}) {
    set_param(request, name, "ok");
  }
  EXPECT_EQ(request.verdict, Verdict::absent);
  EXPECT_EQ(request.role, "");
  EXPECT_EQ(request.authorization, "");
  EXPECT_EQ(request.idempotency_key, "");
}

TEST(SetParam, KnowsTheVerdicts) {
  const std::pair<std::string_view, Verdict> cases[] = {
      {"ok", Verdict::ok},
      {"missing", Verdict::missing},
      {"invalid", Verdict::invalid},
      {"forbidden", Verdict::forbidden},
      {"unavailable", Verdict::unavailable},
      {"", Verdict::absent},
      {"OK", Verdict::absent},
      {"okay", Verdict::absent},
  };
  for (const auto& [word, verdict] : cases) {
    HttpRequest request;
    set_param(request, "POSTERN_VERDICT", word);
    EXPECT_EQ(request.verdict, verdict) << word;
  }
}

TEST(ResponseHead, IsWhatFastCgiWants) {
  HttpResponse response = json_response(201, "{}");
  response.header("Location", "/v1/tasks/x");
  EXPECT_EQ(response_head(response),
            "Status: 201 Created\r\nContent-Type: application/json; charset=utf-8\r\n"
            "Location: /v1/tasks/x\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(response_head({204, {}, {}}), "Status: 204 No Content\r\n\r\n");
}

TEST(HttpResponse, LeavesOutHeadersThatWouldSplitIt) {
  HttpResponse response;
  response.header("A", "x\r\nB: y").header("C", std::string("a\0b", 3)).header("D", "fine\xC3\xA4");
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0].first, "D");
}

}  // namespace
}  // namespace postern
