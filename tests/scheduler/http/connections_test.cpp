// The HTTP client's connections: which are kept, used again, replaced and closed.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

#include "scheduler/http/client.h"
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
using Clock = std::chrono::steady_clock;

TEST(Connections, AreKeptAndUsedAgain) {
  HttpServer server(test::answer_all);
  Client client;
  for (const char* method : {"POST", "GET", "DELETE", "PUT", "POST"}) {
    EXPECT_EQ(summary(client.fetch(request_to(server.url(), method))), "answered 200 ok");
  }
  EXPECT_EQ(server.accepted(), 1);
  // The reused handle keeps nothing of the previous request.
  EXPECT_EQ(server.requests().at(1).find("Content-"), std::string::npos) << server.requests()[1];

  OutgoingRequest fresh = request_to(server.url());
  fresh.fresh_connection = true;
  EXPECT_EQ(summary(client.fetch(fresh)), "answered 200 ok");
  EXPECT_EQ(server.accepted(), 2);
}

// More hosts than libcurl's cache held when it was as large as the number of slots. By default the
// limit goes with that of the descriptors.
TEST(Connections, AreKeptToManyHosts) {
  constexpr int kHosts = 273;  // taking the handles in turn leads to another one in each round
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit enough{std::min<rlim_t>(before.rlim_max, 8192), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &enough), 0);
  HttpServer server(test::answer_all);
  Client client;
  int opened = kHosts;                                     // in a round
  for (int round = 0; round < 3 && opened > 0; ++round) {  // a slow machine takes one more
    const int accepted = server.accepted();
    for (int host = 0; host < kHosts; ++host) {
      const auto address = fmt::format("127.0.{}.{}", host / 200, 1 + host % 200);
      client.http.start(static_cast<std::uint64_t>(host), request_to(server.url("/", address)));
    }
    for (const auto& [id, result] : client.finish_all()) {
      EXPECT_EQ(summary(result), "answered 200 ok") << id;
    }
    opened = server.accepted() - accepted;
  }
  EXPECT_EQ(opened, 0);
  setrlimit(RLIMIT_NOFILE, &before);
}

// Also when all of them lead to one host, and in whatever order they become free.
TEST(Connections, AreAsManyAsTransfersAtOnce) {
  HttpServer server(test::answer_all);
  Client client;
  for (const int transfers : {100, 30, 100, 70}) {
    for (int id = 0; id < transfers; ++id) {
      client.http.start(static_cast<std::uint64_t>(id), request_to(server.url()));
    }
    client.finish_all();
    EXPECT_EQ(server.accepted(), 100) << transfers;
  }
}

TEST(Connections, ThatHadToBeFreshDoNotPileUp) {
  HttpServer server(test::answer_all);
  Client client;
  OutgoingRequest fresh = request_to(server.url());
  fresh.fresh_connection = true;
  for (int i = 1; i <= 10; ++i) {
    EXPECT_EQ(summary(client.fetch(fresh)), "answered 200 ok");
    EXPECT_EQ(server.accepted(), i);
    EXPECT_TRUE(server.wait_until_open(1)) << i;
  }
  EXPECT_EQ(summary(client.fetch(request_to(server.url()))), "answered 200 ok");
  EXPECT_EQ(server.accepted(), 10);
}

// libcurl itself would close them when another transfer starts, and none does here.
TEST(Connections, AreClosedWhenTheyHaveBeenIdleForLong) {
  HttpServer server(test::answer_all);
  Client client;
  for (std::uint64_t id = 0; id < 40; ++id) {
    client.http.start(id, request_to(server.url("/", fmt::format("127.0.0.{}", id + 1))));
  }
  client.finish_all();
  ASSERT_EQ(server.accepted(), 40);
  ASSERT_TRUE(server.wait_until_open(40));
  const auto limit = Clock::now() + std::chrono::seconds(30);
  while (server.open() > 0 && Clock::now() < limit) client.http.wait({}, Milliseconds(100));
  EXPECT_EQ(server.open(), 0);
  EXPECT_EQ(summary(client.fetch(request_to(server.url()))), "answered 200 ok");
}

TEST(Connections, AreNotUsedAgainWhenBytesFollowedTheAnswer) {
  HttpServer server([](Connection& connection) {
    while (connection.read_request()) {
      connection.send(ok("true") + "HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n");
    }
  });
  Client client;
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(summary(client.fetch(request_to(server.url()))), "answered 200 true");
    EXPECT_EQ(server.accepted(), i);
  }
}

// A 204 with a body in a later packet, an answer longer than its Content-Length, two answers to one
// request: what comes behind an answer is not the answer to the next request.
TEST(Connections, AreNotUsedAgainWhenBytesFollowTheAnswerLater) {
  const std::string smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";
  for (const std::string& first : {std::string("HTTP/1.1 204 No Content\r\n\r\n"), ok("true")}) {
    test::Later later(first, smuggled);
    HttpServer server(std::ref(later));
    Client client;
    EXPECT_NE(summary(client.fetch(request_to(server.url()))).find("answered 20"),
              std::string::npos);
    later.send();
    EXPECT_EQ(summary(client.fetch(request_to(server.url("/other")))), "answered 200 ok");
    EXPECT_EQ(server.accepted(), 2);
    // From then on no connection to this receiver carries two requests.
    EXPECT_EQ(summary(client.fetch(request_to(server.url("/third")))), "answered 200 ok");
    EXPECT_EQ(server.accepted(), 3);
    EXPECT_EQ(server.requests().size(), 3u);
  }
}

TEST(Connections, AreReplacedAtTheEndOfTheirLife) {
  HttpServer server(test::answer_all);
  Client client({.user_agent = "",
                 .ca_file = "",
                 .kept_connections = 0,
                 .connection_life = std::chrono::seconds(1),
                 .dns_servers = "",
                 .read_headers = {}});
  const auto limit = Clock::now() + std::chrono::seconds(30);
  while (server.accepted() < 2 && Clock::now() < limit) {
    EXPECT_EQ(summary(client.fetch(request_to(server.url()))), "answered 200 ok");
  }
  EXPECT_EQ(server.accepted(), 2);
}

TEST(Connections, ThatTheServerClosedAreReplaced) {
  HttpServer server([](Connection& connection) {
    connection.read_request();
    connection.send(ok());
  });
  Client client;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(summary(client.fetch(request_to(server.url()))), "answered 200 ok");
    EXPECT_TRUE(server.wait_until_open(0));
  }
}

// By default libcurl silently repeats the request over a new connection.
TEST(Connections, ThatBreakDuringARequestDoNotRepeatIt) {
  struct Case {
    const char* method;
    std::size_t size;
  };
  for (const Case& c : {Case{"POST", 5},
                        {"POST", 0},
                        {"POST", 200'000},
                        {"PUT", 5},
                        {"PUT", 0},
                        {"PATCH", 5},
                        {"GET", 0},
                        {"DELETE", 0},
                        {"DELETE", 5}}) {
    HttpServer server([](Connection& connection) {
      for (int i = 0; i < 10 && connection.read_request(); ++i) {
        if (connection.number() == 0 && i == 1) return;  // closes without an answer
        connection.send(ok());
      }
    });
    Client client;
    EXPECT_EQ(summary(client.fetch(request_to(server.url()))), "answered 200 ok");
    const HttpResult result =
        client.fetch(request_to(server.url("/second"), c.method, std::string(c.size, 'x')));
    EXPECT_EQ(summary(result), "broken: the connection was closed before an answer came")
        << c.method << " " << c.size;
    // After this third request, a repetition of the second would have arrived.
    EXPECT_EQ(summary(client.fetch(request_to(server.url("/third")))), "answered 200 ok");
    int seen = 0;
    for (const std::string& request : server.requests()) {
      seen += request.find(" /second ") != request.npos;
    }
    EXPECT_EQ(seen, 1) << c.method << " " << c.size;
  }
}

TEST(Connections, AreKeptUpToALimit) {
  HttpServer server(test::answer_all);
  Client client({.user_agent = "",
                 .ca_file = "",
                 .kept_connections = 3,
                 .dns_servers = "",
                 .read_headers = {}});
  for (std::uint64_t i = 0; i < 20; ++i) {
    client.http.start(i, request_to(server.url("/", fmt::format("127.0.0.{}", i + 1))));
  }
  for (const auto& [id, result] : client.finish_all())
    EXPECT_EQ(summary(result), "answered 200 ok");
  EXPECT_EQ(server.accepted(), 20);
  // One more, so that libcurl has an occasion to close.
  EXPECT_EQ(summary(client.fetch(request_to(server.url("/", "127.0.0.99")))), "answered 200 ok");
  EXPECT_TRUE(server.wait_until_open(3));
}

TEST(Connections, ThatAreRefusedAreReported) {
  int port = 0;
  {
    const HttpServer gone(test::answer_all);
    port = gone.port();
  }
  Client client;
  EXPECT_EQ(summary(client.fetch(request_to(fmt::format("http://127.0.0.1:{}/", port)))),
            "not_connected: connection refused");
}

TEST(Connections, ThatGetNoDescriptorAreReported) {
  HttpServer server(test::answer_all);
  Client client;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(0);
  close(next);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const HttpResult result = client.fetch(request_to(server.url()));
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(summary(result), "not_connected: no socket: Too many open files");
  EXPECT_EQ(summary(client.fetch(request_to("http://127.0.0.1:2/"))),
            "not_connected: connection refused");
  EXPECT_EQ(summary(client.fetch(request_to(server.url()))), "answered 200 ok");
}

}  // namespace
}  // namespace postern::scheduler
