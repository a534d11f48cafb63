// asyncjobs's dialect at its own mount, for its tests.
#pragma once

#include <string>
#include <utility>

#include "tests/fcgi/wire.h"

namespace postern::test {

class AsyncJobsTest : public WireTest {
 protected:
  AsyncJobsTest() { start({.default_queue = "WORK"}); }
  void SetUp() override { EXPECT_EQ(at("POST", "/v1/queues", R"({"name":"WORK"})").status, 201); }

  Answer at(std::string method, std::string path, std::string body = {}, std::string key = {}) {
    HttpRequest asked = request(std::move(method), std::move(path), std::move(body));
    asked.dialect = "asyncjobs";
    asked.idempotency_key = std::move(key);
    return ask(asked);
  }
  Answer task(const std::string& more = "") {
    return at("POST", "/v1/tasks", R"({"type":"email")" + more + "}");
  }
  // "STATUS code reason field" of an error.
  static std::string told(const Answer& answer) {
    const auto part = [&](const char* path) {
      const auto value = answer.at(path);
      return value.is_string() ? " " + std::string(value.get_string()) : std::string(" -");
    };
    return std::to_string(answer.status) + part("error/code") + part("error/details/reason") +
           part("error/details/field");
  }
};

}  // namespace postern::test
