#include "fcgi/server/router.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

struct Route {
  std::string_view method, pattern;
};

constexpr std::array kRoutes{
    Route{"GET", "/v1/tasks"},
    Route{"POST", "/v1/tasks"},
    Route{"GET", "/v1/tasks/{id}"},
    Route{"DELETE", "/v1/tasks/{id}"},
    Route{"POST", "/v1/queues/{queue}/tasks/{id}"},
};

Match<Route> find(std::string_view method, std::string_view path) {
  return find_route(std::span<const Route>(kRoutes), method, path);
}

TEST(FindRoute, MatchesWholeSegments) {
  EXPECT_EQ(find("GET", "/v1/tasks").route, &kRoutes[0]);
  EXPECT_EQ(find("POST", "/v1/tasks").route, &kRoutes[1]);
  const auto match = find("DELETE", "/v1/tasks/abc");
  EXPECT_EQ(match.route, &kRoutes[3]);
  EXPECT_EQ(match.args["id"], "abc");
  const auto nested = find("POST", "/v1/queues/q1/tasks/t1");
  EXPECT_EQ(nested.args["queue"], "q1");
  EXPECT_EQ(nested.args["id"], "t1");
  EXPECT_THROW((void)match.args["queue"], std::logic_error);
}

TEST(FindRoute, TakesNoOtherPath) {
  for (const std::string_view path :
       {"", "/", "/v1", "/v1/", "/v1/tasks/", "/v1/tasks/a/b", "/v1/taskss", "/V1/tasks",
        "v1/tasks", "/v1/tasks//", "/v1//tasks", "//v1/tasks", "/v1/queues//tasks/t1",
        "/v1/tasks/{id}/", "/v1/tasks/\xff"}) {
    const auto match = find("GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_EQ(match.allowed, "") << path;
  }
}

TEST(FindRoute, TellsTheMethodsOfAPath) {
  EXPECT_EQ(find("PUT", "/v1/tasks").allowed, "GET, HEAD, POST");
  EXPECT_EQ(find("PATCH", "/v1/tasks/x").allowed, "GET, HEAD, DELETE");
  EXPECT_EQ(find("get", "/v1/tasks").route, nullptr);
}

TEST(FindRoute, AnswersHeadOnGetRoutes) {
  EXPECT_EQ(find("HEAD", "/v1/tasks/x").route, &kRoutes[2]);
  EXPECT_EQ(find("HEAD", "/v1/queues/q/tasks/t").route, nullptr);
}

}  // namespace
}  // namespace postern
