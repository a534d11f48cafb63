#include "fcgi/server/router.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

Result<HttpResponse> one(const Call&) { return HttpResponse{}; }
Result<HttpResponse> two(const Call&) { return HttpResponse{}; }

constexpr std::array kRoutes{
    Route{"GET", "/v1/tasks", Access::read, one},
    Route{"POST", "/v1/tasks", Access::write, two},
    Route{"GET", "/v1/tasks/{id}", Access::read, one},
    Route{"DELETE", "/v1/tasks/{id}", Access::write, two},
    Route{"POST", "/v1/queues/{queue}/tasks/{id}", Access::write, two},
};

TEST(FindRoute, MatchesWholeSegments) {
  EXPECT_EQ(find_route(kRoutes, "GET", "/v1/tasks").route, &kRoutes[0]);
  EXPECT_EQ(find_route(kRoutes, "POST", "/v1/tasks").route, &kRoutes[1]);
  const Match match = find_route(kRoutes, "DELETE", "/v1/tasks/abc");
  EXPECT_EQ(match.route, &kRoutes[3]);
  EXPECT_EQ(match.args["id"], "abc");
  const Match nested = find_route(kRoutes, "POST", "/v1/queues/q1/tasks/t1");
  EXPECT_EQ(nested.args["queue"], "q1");
  EXPECT_EQ(nested.args["id"], "t1");
  EXPECT_THROW((void)match.args["queue"], std::logic_error);
}

TEST(FindRoute, TakesNoOtherPath) {
  for (const std::string_view path :
       {"", "/", "/v1", "/v1/", "/v1/tasks/", "/v1/tasks/a/b", "/v1/taskss", "/V1/tasks",
        "v1/tasks", "/v1/tasks//", "/v1//tasks", "//v1/tasks", "/v1/queues//tasks/t1",
        "/v1/tasks/{id}/", "/v1/tasks/\xff"}) {
    const Match match = find_route(kRoutes, "GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_EQ(match.allowed, "") << path;
  }
}

TEST(FindRoute, TellsTheMethodsOfAPath) {
  EXPECT_EQ(find_route(kRoutes, "PUT", "/v1/tasks").allowed, "GET, HEAD, POST");
  EXPECT_EQ(find_route(kRoutes, "PATCH", "/v1/tasks/x").allowed, "GET, HEAD, DELETE");
  EXPECT_EQ(find_route(kRoutes, "get", "/v1/tasks").route, nullptr);
}

TEST(FindRoute, AnswersHeadOnGetRoutes) {
  EXPECT_EQ(find_route(kRoutes, "HEAD", "/v1/tasks/x").route, &kRoutes[2]);
  EXPECT_EQ(find_route(kRoutes, "HEAD", "/v1/queues/q/tasks/t").route, nullptr);
}

}  // namespace
}  // namespace postern
