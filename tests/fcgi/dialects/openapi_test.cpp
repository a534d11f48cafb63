// The descriptions of the APIs, each held against its dialect's table of routes.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "fcgi/dialects/table.h"
#include "fcgi/openapi/document.h"

namespace postern {
namespace {

using Names = std::set<std::string>;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(c));
  return out;
}

// The same path with a slash behind, which TaskMQ has for one, is described once.
std::string described_path(const Route& route) {
  std::string_view path = route.pattern;
  if (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

Names keys(const boost::json::value& object) {
  Names out;
  for (const auto& [key, value] : object.as_object()) out.insert(std::string(key));
  return out;
}

class OpenApi : public testing::TestWithParam<Dialect> {
 protected:
  const std::span<const Route> routes_ = table_of(GetParam()).routes;
  const boost::json::value document_ = boost::json::parse(openapi_document(GetParam(), ""));
};

INSTANTIATE_TEST_SUITE_P(Dialects, OpenApi, testing::ValuesIn(kAllDialects),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST_P(OpenApi, DescribesEachRouteAndNoOther) {
  Names described, routed;
  for (const auto& [path, methods] : document_.at("paths").as_object()) {
    for (const auto& method : keys(methods)) described.insert(method + " " + std::string(path));
  }
  for (const Route& route : routes_) {
    routed.insert(lower(route.method) + " " + described_path(route));
  }
  EXPECT_EQ(described, routed);
}

TEST_P(OpenApi, OpenRoutesAskForNoCredentialAndAllOthersDo) {
  for (const Route& route : routes_) {
    const auto& operation =
        document_.at("paths").at(described_path(route)).at(lower(route.method)).as_object();
    const bool whoever = route.access == Access::open || route.access == Access::who;
    EXPECT_EQ(operation.contains("security"), whoever) << route.method << " " << route.pattern;
  }
}

TEST_P(OpenApi, EachOperationHasAnIdOfItsOwn) {
  Names ids;
  std::size_t operations = 0;
  for (const auto& [path, methods] : document_.at("paths").as_object()) {
    for (const auto& [method, operation] : methods.as_object()) {
      ++operations;
      ids.insert(std::string(operation.at("operationId").as_string()));
    }
  }
  EXPECT_EQ(ids.size(), operations);
}

TEST_P(OpenApi, SaysWhereItIsMounted) {
  const auto server = [&](std::string_view base) {
    const auto document = boost::json::parse(openapi_document(GetParam(), base));
    return std::string(document.at("servers").at(0).at("url").as_string());
  };
  EXPECT_EQ(server(""), "/");
  EXPECT_EQ(server("/queue/asyncjobs"), "/queue/asyncjobs");
}

TEST(OpenApiOfPostern, HasTheProgramsVersion) {
  const auto document = boost::json::parse(openapi_document(Dialect::native, ""));
  EXPECT_EQ(document.at("info").at("version"), POSTERN_VERSION);
}

// What its clients' generators rely on.
TEST(OpenApiOfAsyncJobs, HasTheNamesOfItsModel) {
  const auto document = boost::json::parse(openapi_document(Dialect::asyncjobs, ""));
  EXPECT_EQ(document.at("openapi"), "3.0.3");
  EXPECT_EQ(document.at("info").at("title"), "asyncjobs HTTP API");
  EXPECT_EQ(document.at("info").at("version"), "1.0.0");
  Names ids;
  for (const auto& [path, methods] : document.at("paths").as_object()) {
    for (const auto& [method, operation] : methods.as_object()) {
      ids.insert(std::string(operation.at("operationId").as_string()));
    }
  }
  const auto expect_all = [](const Names& there, const Names& wanted) {
    for (const std::string& each : wanted) EXPECT_TRUE(there.contains(each)) << each;
  };
  expect_all(ids, {"getHealthz", "getReadyz", "getInfo", "listRetryPolicies", "listTasks",
                   "createTask", "getTask", "deleteTask", "retryTask", "retryTasks", "listQueues",
                   "createQueue", "getQueue", "deleteQueue", "purgeQueue", "listSchedules",
                   "createSchedule", "getSchedule", "deleteSchedule"});
  const auto& components = document.at("components");
  expect_all(keys(components.at("schemas")),
             {"Error", "TaskState", "Task", "TaskResult", "TaskCreateRequest", "TaskListResponse",
              "BulkRetryRequest", "BulkRetryResponse", "BulkRetryResult", "QueueCreateRequest",
              "QueueInfo", "Schedule", "ScheduleCreateRequest", "Info", "RetryPolicy",
              "HealthResponse", "ReadinessResponse", "CheckStatus"});
  expect_all(keys(components.at("responses")),
             {"BadRequest", "NotFound", "Conflict", "PayloadTooLarge", "RateLimited", "Internal"});
}

}  // namespace
}  // namespace postern
