// What the tests of endpoints over the wire share.
#pragma once

#include <string>

#include "tests/fcgi/wire.h"

namespace postern::test {

inline constexpr char kPath[] = "/v1/endpoints/mail";

class EndpointsTest : public WireTest {
 protected:
  Answer make(const std::string& name, const std::string& more = "") {
    return ask("POST", "/v1/endpoints",
               R"({"name":")" + name + R"(","url":"http://receiver.test/hook")" +
                   (more.empty() ? "" : "," + more) + "}");
  }
  std::string text(const std::string& sql) {
    return std::string(admin_.exec({"", sql.c_str()}).text(0, 0));
  }
};

}  // namespace postern::test
