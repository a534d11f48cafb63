// The HTTP client's requests on the wire, and the result of every kind of answer.
#include "scheduler/http/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <list>

#include <fmt/format.h>

#include "tests/scheduler/support/client.h"
#include "tests/scheduler/support/http_server.h"

namespace postern::scheduler {
namespace {

using test::Client;
using test::Connection;
using test::HttpServer;
using test::ok;
using test::request_to;
using test::summary;
using Kind = HttpResult::Kind;

// The bytes of one request as the server received them.
std::string on_the_wire(OutgoingRequest request) {
  HttpServer server(test::answer_all);
  request.url.port = server.port();
  Client client;
  EXPECT_EQ(summary(client.fetch(std::move(request))), "answered 200 ok");
  EXPECT_EQ(server.requests().size(), 1u);
  std::string seen = server.requests().empty() ? "" : server.requests().front();
  const std::string port = fmt::format(":{}", server.port());
  if (const auto at = seen.find(port); at != seen.npos) seen.replace(at, port.size(), ":PORT");
  return seen;
}

TEST(OutgoingRequest, ArrivesAsItWasGiven) {
  OutgoingRequest request =
      request_to("http://127.0.0.1:2/hook/%41?a=b&c=%20", "POST", "{\"a\":\"\"}");
  request.headers = {{"Content-Type", "application/json"},
                     {"X-Empty", ""},
                     {"X-Blank", " \t"},
                     {"X-Utf8", "\xc3\xa9"},
                     {"webhook-id", "msg_1"}};
  EXPECT_EQ(on_the_wire(request),
            "POST /hook/%41?a=b&c=%20 HTTP/1.1\r\n"
            "Host: 127.0.0.1:PORT\r\n"
            "User-Agent: Postern/test\r\n"
            "Accept: */*\r\n"
            "Content-Type: application/json\r\n"
            "X-Empty:\r\n"
            "X-Blank:\r\n"
            "X-Utf8: \xc3\xa9\r\n"
            "webhook-id: msg_1\r\n"
            "Content-Length: 8\r\n"
            "\r\n"
            "{\"a\":\"\"}");
}

TEST(OutgoingRequest, HasNoOtherHeadersThanTheNecessaryOnes) {
  struct Case {
    const char* method;
    std::string body;
    std::string rest;  // behind Accept
  };
  const std::string nul("\0\r\n\xff", 4);
  const std::string large(3 * 1024 * 1024, 'x');
  const Case cases[] = {
      {"GET", "", "\r\n"},
      {"GET", "never sent", "\r\n"},
      {"DELETE", "", "\r\n"},
      {"DELETE", "hello", "Content-Length: 5\r\n\r\nhello"},
      {"POST", "", "Content-Length: 0\r\n\r\n"},
      {"POST", nul, "Content-Length: 4\r\n\r\n" + nul},
      {"POST", large, "Content-Length: 3145728\r\n\r\n" + large},
      {"PUT", "hello", "Content-Length: 5\r\n\r\nhello"},
      {"PUT", "", "Content-Length: 0\r\n\r\n"},
      {"PATCH", "hello", "Content-Length: 5\r\n\r\nhello"},
  };
  for (const Case& c : cases) {
    const std::string seen = on_the_wire(request_to("http://127.0.0.1:2/", c.method, c.body));
    EXPECT_TRUE(seen == fmt::format("{} / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
                                    "User-Agent: Postern/test\r\nAccept: */*\r\n{}",
                                    c.method, c.rest))
        << c.method << " with " << c.body.size() << " bytes: " << seen.substr(0, 300);
  }
}

TEST(OutgoingRequest, IgnoresTheProxiesOfTheEnvironment) {
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) {
    setenv(name, "http://127.0.0.1:2", 1);
  }
  EXPECT_NE(on_the_wire(request_to("http://127.0.0.1:2/")), "");
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) unsetenv(name);
}

TEST(HttpAnswer, IsClassified) {
  const std::string kHead = "HTTP/1.1 200 OK\r\n";
  struct Case {
    std::string answer;
    std::string expected;
  };
  const Case cases[] = {
      {ok("hello"), "answered 200 hello"},
      {kHead + "Content-Length: 0\r\n\r\n", "answered 200 "},
      {"HTTP/1.1 204 No Content\r\n\r\n", "answered 204 "},
      {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:2/\r\nContent-Length: 0\r\n\r\n",
       "answered 302 "},
      {"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone", "answered 410 gone"},
      {"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "answered 503 "},
      {"HTTP/1.1 599\r\nContent-Length: 0\r\n\r\n", "answered 599 "},
      {"HTTP/1.0 200 OK\r\n\r\nuntil the end", "answered 200 until the end"},
      {kHead + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
       "answered 200 abcde"},
      {kHead + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
       "answered 200 \x1f\x8b\x08"},
      {"HTTP/1.1 100 Continue\r\n\r\n" + ok("after"), "answered 200 after"},
      {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok("hinted"), "answered 200 hinted"},
      {ok("ok") + "garbage behind it", "answered 200 ok"},
      // Cut off.
      {"", "broken: the connection was closed before an answer came"},
      {"HTTP/1.1 200", "broken: the connection was closed before an answer came"},
      {kHead + "Content-Length: 2\r\n", "broken: the connection was closed before an answer came"},
      {"HTTP/1.1 100 Continue\r\n\r\n", "broken: the connection was closed before an answer came"},
      {kHead + "Content-Length: 10\r\n\r\nhello",
       "broken: the answer ended early: status 200, 5 of 10 bytes"},
      {kHead + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
       "broken: the answer ended early: status 200, 5 bytes"},
      {kHead + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
       "broken: the answer ended early: status 200, 0 bytes"},
      // Not HTTP.
      {"hello", "broken: what came is not an HTTP answer"},
      {"<html>HTTP/0.9</html>\r\n\r\n", "broken: what came is not an HTTP answer"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "broken: what came is not an HTTP answer"},
      {"HTTP/1.1 abc OK\r\n\r\n", "broken: what came is not an HTTP answer"},
      {"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n", "broken: what came is not an HTTP answer"},
      {kHead + "Content-Length: -5\r\n\r\n", "broken: what came is not an HTTP answer"},
  };
  for (const Case& c : cases) {
    HttpServer server([&](Connection& connection) {
      connection.read_request();
      connection.send(c.answer);
    });
    Client client;
    const HttpResult result = client.fetch(request_to(server.url()));
    EXPECT_EQ(summary(result), c.expected) << c.answer;
    EXPECT_EQ(result.status != 0, result.kind == Kind::answered) << c.answer;
    EXPECT_LT(result.duration, Milliseconds(5000)) << c.answer;
  }
}

TEST(HttpAnswer, HasTheHeadersOfTheFinalAnswerOnly) {
  HttpServer server([](Connection& connection) {
    connection.read_request();
    connection.send(
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nRetry-After: 1\r\n\r\n"
        "HTTP/1.1 503 Busy\r\nRETRY-After:  7 \r\nX-Empty:\r\nX-Two: a: b\r\nX-Two: c\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\nRetry-After: 9\r\n\r\n");
  });
  Client client;
  const Headers expected = {{"retry-after", "7"},
                            {"x-empty", ""},
                            {"x-two", "a: b"},
                            {"x-two", "c"},
                            {"transfer-encoding", "chunked"}};
  EXPECT_EQ(client.fetch(request_to(server.url())).headers, expected);
}

TEST(HttpAnswer, HasItsHeadersCapped) {
  for (const std::size_t size : {10u, 4000u}) {
    HttpServer server([&](Connection& connection) {
      connection.read_request();
      std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
      for (int i = 0; i < 60'000 / static_cast<int>(size); ++i) {
        head += fmt::format("X-{}: {}\r\n", i, std::string(size, 'v'));
      }
      connection.send(head + "\r\nok");
    });
    Client client;
    const HttpResult result = client.fetch(request_to(server.url()));
    EXPECT_EQ(summary(result), "answered 200 ok");
    std::size_t bytes = 0;
    for (const Header& header : result.headers) bytes += header.name.size() + header.value.size();
    EXPECT_GT(result.headers.size(), 2u) << size;
    EXPECT_LE(result.headers.size(), 100u) << size;
    EXPECT_LE(bytes, 16u * 1024) << size;
  }
}

TEST(HttpAnswer, KeepsTheHeadersThatAreReadWhereverTheyStand) {
  const std::string asked = "AJ-Error: " + std::string(3000, 'e') + "\r\nAJ-Error: second\r\n";
  std::string many, long_one = "X: " + std::string(20'000, 'v') + "\r\n";
  for (int i = 0; i < 150; ++i) many += fmt::format("X-{}: v\r\n", i);
  for (const std::string& before : {many, long_one}) {
    HttpServer server([&](Connection& connection) {
      connection.read_request();
      connection.send("HTTP/1.1 200 OK\r\n" + before + asked + "Content-Length: 0\r\n\r\n");
    });
    Client client({.user_agent = "",
                   .ca_file = "",
                   .kept_connections = 1,
                   .dns_servers = "",
                   .read_headers = {"aj-error"}});
    const Headers headers = client.fetch(request_to(server.url())).headers;
    ASSERT_FALSE(headers.empty());
    EXPECT_EQ(headers.back(), (Header{"aj-error", std::string(1024, 'e')}));
  }
}

TEST(HttpAnswer, IsGivenUpWhenItsHeadersDoNotEnd) {
  for (const std::string piece : {"X-More: and more\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"}) {
    HttpServer server([&](Connection& connection) {
      connection.read_request();
      connection.send(piece.starts_with("HTTP") ? "" : "HTTP/1.1 200 OK\r\n");
      while (connection.send(piece)) {
      }
    });
    Client client;
    EXPECT_EQ(summary(client.fetch(request_to(server.url()))),
              "broken: the answer's headers are too large")
        << piece;
  }
}

TEST(HttpAnswer, IsReadUpToALimitAndStillCounts) {
  constexpr std::size_t kMiB = 1024 * 1024;
  struct Case {
    const char* head;
    bool chunked;
    std::size_t size;
    bool cut;
  };
  const Case cases[] = {
      {"Content-Length: 1048576\r\n", false, kMiB, false},
      {"Content-Length: 104857600\r\n", false, 100 * kMiB, true},
      {"Connection: close\r\n", false, 100 * kMiB, true},
      {"Transfer-Encoding: chunked\r\n", true, 100 * kMiB, true},
  };
  for (const Case& c : cases) {
    std::atomic<std::size_t> taken = 0;
    HttpServer server([&](Connection& connection) {
      connection.read_request();
      connection.send(fmt::format("HTTP/1.1 202 Accepted\r\n{}\r\n", c.head));
      const std::string piece(64 * 1024, 'x');
      while (taken < c.size && connection.send(c.chunked ? "10000\r\n" + piece + "\r\n" : piece)) {
        taken += piece.size();
      }
      if (!c.cut) connection.wait_for_close();
    });
    {
      Client client;
      const HttpResult result = client.fetch(request_to(server.url()));
      EXPECT_EQ(summary(result), "answered 202 " + std::string(16 * 1024, 'x')) << c.head;
    }
    EXPECT_TRUE(server.wait_until_open(0)) << c.head;
    // The server could also write what fits into the sockets' buffers.
    EXPECT_EQ(taken == c.size, !c.cut) << c.head << taken;
  }
}

// The receiver answers before it has read the whole request.
TEST(HttpAnswer, CountsWhenItComesEarly) {
  for (const std::string& answer : {ok("early"), std::string("HTTP/1.1 204 No Content\r\n\r\n")}) {
    HttpServer server([&](Connection& connection) {
      connection.read_head();
      connection.send(answer);
      connection.reset();
    });
    Client client;
    const HttpResult result =
        client.fetch(request_to(server.url(), "POST", std::string(20 * 1024 * 1024, 'x')));
    // The reset may overtake the answer, which is then lost.
    if (result.kind == Kind::broken) {
      EXPECT_EQ(result.error, "the connection was reset before an answer came");
    } else {
      EXPECT_EQ(result.kind, Kind::answered) << summary(result);
    }
  }
}

TEST(HttpAnswer, IsWaitedForNoLongerThanTheTimeout) {
  struct Case {
    const char* what;
    std::function<void(Connection&)> script;
    std::string error;
  };
  const auto trickle = [](const char* head, const char* piece) {
    return [=](Connection& connection) {
      connection.read_request();
      connection.send(head);
      while (connection.send(piece)) std::this_thread::sleep_for(Milliseconds(5));
    };
  };
  const Case cases[] = {
      {"no answer",
       [](Connection& connection) {
         connection.read_request();
         connection.wait_for_close();
       },
       "no answer within 2 s"},
      {"trickling headers", trickle("HTTP/1.1 200 OK\r\nX: ", "x"), "no answer within 2 s"},
      {"trickling 1xx", trickle("", "HTTP/1.1 103 Hints\r\n\r\n"), "no answer within 2 s"},
      {"trickling body", trickle("HTTP/1.1 200 OK\r\n\r\n", "x"),
       "the answer took longer than 2 s: status 200, "},
      {"half a body",
       [](Connection& connection) {
         connection.read_request();
         connection.send("HTTP/1.1 500 Sorry\r\nContent-Length: 10\r\n\r\nhello");
         connection.wait_for_close();
       },
       "the answer took longer than 2 s: status 500, 5 of 10 bytes"},
  };
  // Side by side, so that a timeout in which a busy machine sends each request costs little.
  std::list<HttpServer> servers;
  Client client;
  for (const Case& c : cases) {
    OutgoingRequest request = request_to(servers.emplace_back(c.script).url());
    request.timeout = Milliseconds(2000);
    client.http.start(servers.size(), std::move(request));
  }
  auto results = client.finish_all();
  ASSERT_EQ(results.size(), servers.size());
  for (std::uint64_t id = 0; const Case& c : cases) {
    const HttpResult& result = results[++id];
    EXPECT_EQ(result.kind, Kind::timed_out) << c.what << ": " << summary(result);
    EXPECT_EQ(result.error.substr(0, c.error.size()), c.error) << c.what;
    EXPECT_EQ(result.status, 0) << c.what;
    EXPECT_GE(result.duration, Milliseconds(1995)) << c.what;
    EXPECT_LT(result.duration, Milliseconds(20'000)) << c.what;
  }
}

TEST(HttpAnswer, IsBrokenByAReset) {
  HttpServer server([](Connection& connection) {
    connection.read_request();
    connection.reset();
  });
  Client client;
  EXPECT_EQ(summary(client.fetch(request_to(server.url()))),
            "broken: the connection was reset before an answer came");
}

}  // namespace
}  // namespace postern::scheduler
