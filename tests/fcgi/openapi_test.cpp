// The description of the API, held against the table of its routes.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "fcgi/dialects/dialects.h"
#include "fcgi/openapi/document.h"

namespace postern {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(c));
  return out;
}

std::set<std::string> described() {
  std::set<std::string> out;
  const auto document = boost::json::parse(openapi_document());
  for (const auto& [path, methods] : document.at("paths").as_object()) {
    for (const auto& [method, operation] : methods.as_object()) {
      out.insert(std::string(method) + " " + std::string(path));
    }
  }
  return out;
}

TEST(OpenApi, DescribesEachRouteAndNoOther) {
  std::set<std::string> routed;
  for (const Route& route : native().routes) {
    routed.insert(lower(route.method) + " " + std::string(route.pattern));
  }
  EXPECT_EQ(described(), routed);
}

TEST(OpenApi, OpenRoutesAskForNoCredentialAndAllOthersDo) {
  const auto document = boost::json::parse(openapi_document());
  for (const Route& route : native().routes) {
    const auto& operation =
        document.at("paths").at(route.pattern).at(lower(route.method)).as_object();
    EXPECT_EQ(operation.contains("security"), route.access == Access::open)
        << route.method << " " << route.pattern;
  }
}

TEST(OpenApi, EachOperationHasAnIdOfItsOwn) {
  std::set<std::string> ids;
  const auto document = boost::json::parse(openapi_document());
  std::size_t operations = 0;
  for (const auto& [path, methods] : document.at("paths").as_object()) {
    for (const auto& [method, operation] : methods.as_object()) {
      ++operations;
      ids.insert(std::string(operation.at("operationId").as_string()));
    }
  }
  EXPECT_EQ(ids.size(), operations);
}

}  // namespace
}  // namespace postern
