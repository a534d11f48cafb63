// The HTTP client's name resolution, address policy and waiting.
#include <gtest/gtest.h>

#include <sys/eventfd.h>
#include <unistd.h>
#include <atomic>

#include <filesystem>

#include <fmt/format.h>

#include "scheduler/http/client.h"
#include "tests/scheduler/support/client.h"
#include "tests/scheduler/support/dns_server.h"
#include "tests/scheduler/support/http_server.h"

namespace postern::scheduler {
namespace {

using test::Client;
using test::Connection;
using test::DnsReply;
using test::DnsServer;
using test::HttpServer;
using test::ok;
using test::request_to;
using test::summary;
using Clock = std::chrono::steady_clock;
using Kind = HttpResult::Kind;

const char* const kDenied = "egress_denied: address not allowed by the egress policy";

// Answers with the address that was connected to.
void tell_address(Connection& connection) {
  while (connection.read_request()) connection.send(ok(connection.address()));
}

HttpClient::Options asking(const DnsServer& server) {
  return {.user_agent = "",
          .ca_file = "",
          .kept_connections = 0,
          .dns_servers = server.endpoint(),
          .read_headers = {}};
}

TEST(Egress, IsDeniedToAddressesThatAreNotAllowed) {
  HttpServer server(tell_address);
  Client client({}, {"127.0.0.2/32", "127.0.0.3/32"});
  std::int64_t denied = 0;
  for (const char* host : {"127.0.0.1", "127.0.0.4", "[::1]", "[::]", "[::ffff:127.0.0.1]",
                           "0.0.0.0", "10.0.0.1", "169.254.169.254", "[fe80::1]", "localhost"}) {
    EXPECT_EQ(summary(client.fetch(request_to(server.url("/", host)))), kDenied) << host;
    EXPECT_EQ(client.http.egress_denied(), ++denied) << host;
  }
  EXPECT_EQ(server.accepted(), 0);
  EXPECT_EQ(summary(client.fetch(request_to(server.url("/", "127.0.0.3")))),
            "answered 200 127.0.0.3");
  EXPECT_EQ(client.http.egress_denied(), denied);
  EXPECT_EQ(summary(client.fetch(request_to(server.url("/")))), kDenied)
      << "after one that was not";
}

TEST(Egress, IsDeniedToClosedPortsBeforeANameIsLookedUp) {
  Client client({.user_agent = "",
                 .ca_file = "",
                 .kept_connections = 0,
                 .dns_servers = "127.0.0.1:1",
                 .read_headers = {}});
  for (const char* url : {"http://127.0.0.1:22/", "http://[::1]:5432/", "https://name.test:6379/",
                          "http://[::ffff:127.0.0.1]:25/"}) {
    EXPECT_EQ(summary(client.fetch(request_to(url))),
              "egress_denied: port not allowed by the egress policy")
        << url;
  }
}

TEST(Egress, IsCheckedForTheAddressesOfAName) {
  const std::map<std::string, DnsReply> zone = {
      {"internal.test", {.addresses = {"127.0.0.1"}}},
      {"alias.test", {.alias = "internal.test", .addresses = {"127.0.0.1"}}},
      {"six.test", {.addresses = {"::1"}}},
      {"mapped.test", {.addresses = {"::ffff:127.0.0.1"}}},
      {"all.test", {.addresses = {"10.0.0.1", "127.0.0.1", "::1", "fd00::1"}}},
      {"last.test", {.addresses = {"127.0.0.1", "127.0.0.2"}}},
      {"first.test", {.addresses = {"127.0.0.2", "127.0.0.1", "::1"}}},
  };
  const DnsServer dns([&](const std::string& name) { return zone.at(name); });
  HttpServer server(tell_address);
  Client client(asking(dns), {"127.0.0.2/32"});
  for (const char* host : {"internal.test", "alias.test", "six.test", "mapped.test", "all.test"}) {
    const HttpResult result = client.fetch(request_to(server.url("/", host)));
    EXPECT_EQ(summary(result), kDenied) << host;
    EXPECT_LT(result.duration, Milliseconds(10'000)) << host;
  }
  EXPECT_EQ(server.accepted(), 0);
  for (const char* host : {"last.test", "first.test"}) {
    EXPECT_EQ(summary(client.fetch(request_to(server.url("/", host)))), "answered 200 127.0.0.2")
        << host;
  }
}

TEST(Names, AreResolvedByOneLookupAndKeptOutOfTheRequest) {
  const DnsServer dns([](const std::string&) { return DnsReply{.addresses = {"127.0.0.5"}}; });
  HttpServer server(tell_address);
  Client client(asking(dns));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(summary(client.fetch(request_to(server.url("/", "receiver.test")))),
              "answered 200 127.0.0.5");
  }
  EXPECT_EQ(dns.queries("receiver.test"), 2) << "one lookup, of two families";
  EXPECT_EQ(server.accepted(), 1) << "the connection is kept under the name";
  EXPECT_NE(
      server.requests().at(0).find(fmt::format("\r\nHost: receiver.test:{}\r\n", server.port())),
      std::string::npos);
}

// Also while requests follow each other so closely that no connection gets idle.
TEST(Names, AreFollowedToAnotherAddress) {
  std::atomic<bool> moved = false;
  const DnsServer dns([&](const std::string&) {
    return DnsReply{.addresses = {moved ? "127.0.0.6" : "127.0.0.5"}};
  });
  HttpServer server(tell_address);
  Client client(asking(dns));
  const auto fetch = [&] {
    return summary(client.fetch(request_to(server.url("/", "receiver.test"))));
  };
  EXPECT_EQ(fetch(), "answered 200 127.0.0.5");
  moved = true;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::string seen;
  while ((seen = fetch()) == "answered 200 127.0.0.5" && std::chrono::steady_clock::now() < limit) {
  }
  EXPECT_EQ(seen, "answered 200 127.0.0.6");
  EXPECT_EQ(server.accepted(), 2) << "as soon as the new address was known";
}

// Easy handles are reused for other names, and many transfers pin addresses at the same time.
TEST(Names, LeadEachTransferToItsOwnAddress) {
  const DnsServer dns([](const std::string& name) {
    return DnsReply{.addresses = {"127.0.0." + name.substr(0, name.find('.'))}};
  });
  HttpServer server(tell_address);
  Client client(asking(dns));
  for (int round = 0; round < 5; ++round) {
    for (std::uint64_t id = 0; id < 200; ++id) {
      const auto host = 1 + (id + 7 * static_cast<std::uint64_t>(round)) % 50;
      OutgoingRequest request = request_to(server.url("/", fmt::format("{}.test", host)));
      request.fresh_connection = id % 2 == 0;
      client.http.start(host * 1000 + id, std::move(request));
    }
    for (const auto& [id, result] : client.finish_all()) {
      EXPECT_EQ(summary(result), fmt::format("answered 200 127.0.0.{}", id / 1000)) << id;
    }
  }
}

TEST(Names, ThatDoNotResolveAreReported) {
  const DnsServer dns([](const std::string& name) {
    if (name == "failing.test") return DnsReply{.kind = DnsReply::Kind::server_failure};
    if (name == "gone.test") return DnsReply{.kind = DnsReply::Kind::no_such_name};
    return DnsReply{};
  });
  Client client(asking(dns));
  const auto begun = Clock::now();
  for (const char* host : {"gone.test", "failing.test", "empty.test"}) {
    const OutgoingRequest request = request_to(fmt::format("http://{}/", host));
    // The second answer comes from the cache, but still not within start().
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(summary(client.fetch(request)), "name_not_resolved: name could not be resolved")
          << host;
    }
  }
  EXPECT_LT(Clock::now() - begun, std::chrono::milliseconds(5000)) << "wait() saw no end";
}

TEST(Names, ThatNoServerAnswersForBlockNothing) {
  const DnsServer dns([](const std::string&) { return DnsReply{.kind = DnsReply::Kind::silence}; });
  HttpServer server(test::answer_all);
  Client client(asking(dns));
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  for (std::uint64_t id = 0; id < 1000; ++id) {
    OutgoingRequest request = request_to(fmt::format("http://{}.test/", id));
    request.timeout = Milliseconds(5000);  // in which all are started
    client.http.start(id, std::move(request));
  }
  const auto threads_before = threads();
  const auto begun = Clock::now();
  OutgoingRequest request = request_to(server.url());
  client.http.start(5000, request);
  Clock::duration longest{};
  std::map<std::uint64_t, HttpResult> results;
  while (client.http.active() > 0 && Clock::now() < begun + std::chrono::seconds(40)) {
    const auto before = Clock::now();
    client.http.wait({}, Milliseconds(10));
    longest = std::max(longest, Clock::now() - before);
    for (auto& finished : client.http.take_finished()) {
      if (finished.id == 5000) {
        EXPECT_TRUE(results.empty()) << "it had to wait for the names";
        EXPECT_LE(threads(), threads_before + 1) << "the server's thread for this connection";
      }
      results[finished.id] = std::move(finished.result);
    }
  }
  EXPECT_LT(longest, std::chrono::milliseconds(3000));
  EXPECT_EQ(summary(results[5000]), "answered 200 ok");
  for (std::uint64_t id = 0; id < 1000; ++id) {
    EXPECT_EQ(summary(results[id]), "timed_out: timed out while the name was looked up") << id;
    EXPECT_GE(results[id].duration, Milliseconds(5000));
    EXPECT_LT(results[id].duration, Milliseconds(25'000));
  }
}

TEST(Names, AreWaitedForNoLongerThanTheTimeout) {
  const DnsServer dns([](const std::string&) { return DnsReply{.kind = DnsReply::Kind::silence}; });
  // In one of three tries, since a busy machine may take its time.
  bool in_time = false;
  for (int tries = 0; tries < 3 && !in_time; ++tries) {
    Client client(asking(dns));
    OutgoingRequest request = request_to("http://silent.test/");
    request.timeout = Milliseconds(200);
    client.http.start(1, std::move(request));
    client.http.wait({}, Milliseconds(1300));  // shorter than the resolver's own timeout
    const auto finished = client.http.take_finished();
    ASSERT_EQ(finished.size(), 1u);
    EXPECT_EQ(summary(finished[0].result), "timed_out: timed out while the name was looked up");
    in_time = finished[0].result.duration < Milliseconds(1200);
  }
  EXPECT_TRUE(in_time);
}

TEST(Connections, AreTriedForEachAddressOfAName) {
  const std::map<std::string, DnsReply> zone = {
      {"none.test", {.addresses = {"127.0.0.1", "127.0.0.2", "::1"}}},
      {"last.test", {.addresses = {"127.0.0.2", "127.0.0.1"}}},
  };
  const DnsServer dns([&](const std::string& name) { return zone.at(name); });
  int closed_port = 0;
  {
    const HttpServer gone(test::answer_all);
    closed_port = gone.port();
  }
  HttpServer server(tell_address, nullptr, "127.0.0.1");
  Client client(asking(dns), {"127.0.0.0/8", "::1/128"});
  const HttpResult none =
      client.fetch(request_to(fmt::format("http://none.test:{}/", closed_port)));
  EXPECT_EQ(summary(none), "not_connected: connection refused");
  EXPECT_LT(none.duration, Milliseconds(10'000));
  EXPECT_EQ(summary(client.fetch(request_to(server.url("/", "last.test")))),
            "answered 200 127.0.0.1");
}

TEST(Waiting, EndsAtTheCallersDescriptorsAndTimeout) {
  HttpServer server([](Connection& connection) {
    connection.read_request();
    connection.wait_for_close();
  });
  Client client;
  client.http.start(1, request_to(server.url()));
  ASSERT_TRUE(([&] {
    for (int i = 0; i < 1000 && server.requests().empty(); ++i)
      client.http.wait({}, Milliseconds(10));
    return !server.requests().empty();
  })());
  const int event = eventfd(0, EFD_CLOEXEC);
  WaitFd fds[] = {{event, true, false, true}, {event, false, true, false}};
  client.http.wait(std::span(fds, 1), Milliseconds(20));
  EXPECT_FALSE(fds[0].ready) << "nothing to read yet";

  const auto begun = Clock::now();
  client.http.wait(fds, Milliseconds(60'000));
  EXPECT_TRUE(fds[1].ready) << "it can be written to";
  EXPECT_FALSE(fds[0].ready);
  eventfd_write(event, 1);
  client.http.wait(std::span(fds, 1), Milliseconds(60'000));
  EXPECT_TRUE(fds[0].ready);
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(30));
  close(event);
  EXPECT_EQ(client.http.active(), 1u) << "and goes away with the client";
}

TEST(Waiting, ReturnsNoResultWithinStart) {
  Client client({}, {});
  client.http.start(1, request_to("http://127.0.0.1:2/"));
  EXPECT_TRUE(client.http.take_finished().empty());
  EXPECT_EQ(client.http.active(), 1u);
  EXPECT_EQ(summary(client.finish_all()[1]), kDenied);
  EXPECT_EQ(client.http.active(), 0u);
}

}  // namespace
}  // namespace postern::scheduler
