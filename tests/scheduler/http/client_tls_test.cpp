// The HTTP client over TLS: which servers are trusted, and that other servers receive nothing.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstdlib>

#include <fmt/format.h>

#include "scheduler/http/client.h"
#include "tests/scheduler/support/certificates.h"
#include "tests/scheduler/support/client.h"
#include "tests/scheduler/support/dns_server.h"
#include "tests/scheduler/support/http_server.h"

namespace postern::scheduler {
namespace {

using test::Authority;
using test::Client;
using test::Connection;
using test::DnsReply;
using test::DnsServer;
using test::HttpServer;
using test::ok;
using test::request_to;
using test::summary;
using Kind = HttpResult::Kind;

class Tls : public testing::Test {
 protected:
  HttpClient::Options options() const {
    return {.user_agent = "",
            .ca_file = authority.file(),
            .kept_connections = 0,
            .dns_servers = dns.endpoint(),
            .read_headers = {}};
  }

  const Authority authority;
  const DnsServer dns{[](const std::string&) { return DnsReply{.addresses = {"127.0.0.1"}}; }};
};

TEST_F(Tls, ReachesTheNamedReceiverAndReusesTheConnection) {
  const auto context = authority.server({});
  HttpServer server(
      [](Connection& connection) {
        while (connection.read_request()) connection.send(ok(connection.server_name()));
      },
      context.get());
  Client client(options());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(summary(client.fetch(request_to(server.url("/", "receiver.test")))),
              "answered 200 receiver.test");
  }
  EXPECT_EQ(server.accepted(), 1);
  ASSERT_EQ(server.requests().size(), 3u);
  const std::string host = fmt::format("\r\nHost: receiver.test:{}\r\n", server.port());
  EXPECT_NE(server.requests()[0].find(host), std::string::npos) << server.requests()[0];
}

TEST_F(Tls, DoesNotTakeBytesBehindAnAnswerForTheNext) {
  const auto context = authority.server({});
  test::Later later("HTTP/1.1 204 No Content\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled");
  HttpServer server(std::ref(later), context.get());
  Client client(options());
  const std::string url = server.url("/", "receiver.test");
  EXPECT_EQ(summary(client.fetch(request_to(url))), "answered 204 ");
  later.send();
  EXPECT_EQ(summary(client.fetch(request_to(url))), "answered 200 ok");
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(Tls, RefusesServersWithoutAValidCertificate) {
  struct Case {
    const char* what;
    Authority::Wish wish;
    const char* error;
  };
  const Case cases[] = {
      {"expired", {.expired = true}, "TLS: certificate has expired"},
      {"self-signed", {.self_signed = true}, "TLS: self-signed certificate"},
      {"another's name",
       {.name = "other.test"},
       "TLS: no alternative certificate subject name matches target host name 'receiver.test'"},
      {"TLS 1.1", {.newest_version = TLS1_1_VERSION}, "TLS: tlsv1 alert protocol version"},
  };
  for (const Case& c : cases) {
    const auto context = authority.server(c.wish);
    HttpServer server(test::answer_all, context.get());
    Client client(options());
    const HttpResult result = client.fetch(request_to(server.url("/", "receiver.test")));
    EXPECT_EQ(summary(result), fmt::format("not_connected: {}", c.error)) << c.what;
    EXPECT_TRUE(server.requests().empty()) << c.what;
  }
}

TEST_F(Tls, TrustsOnlyTheGivenFileWhateverTheEnvironment) {
  const auto context = authority.server({});
  HttpServer server(test::answer_all, context.get());
  setenv("SSL_CERT_FILE", authority.file().c_str(), 1);
  setenv("CURL_CA_BUNDLE", authority.file().c_str(), 1);
  const Authority other;
  HttpClient::Options trusting_other = options();
  trusting_other.ca_file = other.file();
  Client client(trusting_other);
  EXPECT_EQ(summary(client.fetch(request_to(server.url("/", "receiver.test")))),
            "not_connected: TLS: unable to get local issuer certificate");
  unsetenv("SSL_CERT_FILE");
  unsetenv("CURL_CA_BUNDLE");

  HttpClient::Options no_file = options();
  no_file.ca_file = "/nowhere.pem";
  Client lost(no_file);
  EXPECT_EQ(summary(lost.fetch(request_to(server.url("/", "receiver.test")))),
            "not_connected: TLS: the trusted certificates cannot be read");
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Tls, IsNeverReplacedByPlainText) {
  HttpServer server([](Connection& connection) {
    connection.send("HTTP/1.1 400 Speak plainly\r\nContent-Length: 0\r\n\r\n");
    while (connection.read_request()) {
    }
  });
  Client client(options());
  const std::string url = fmt::format("https://receiver.test:{}/", server.port());
  EXPECT_EQ(summary(client.fetch(request_to(url))), "not_connected: TLS: wrong version number");
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Tls, DoesNotRepeatARequestWhoseConnectionBroke) {
  const auto context = authority.server({});
  HttpServer server(
      [](Connection& connection) {
        for (int i = 0; connection.read_request(); ++i) {
          if (connection.number() == 0 && i == 1) return;
          connection.send(ok());
        }
      },
      context.get());
  Client client(options());
  const OutgoingRequest request = request_to(server.url("/", "receiver.test"));
  EXPECT_EQ(summary(client.fetch(request)), "answered 200 ok");
  EXPECT_EQ(client.fetch(request).kind, Kind::broken);
  EXPECT_EQ(summary(client.fetch(request)), "answered 200 ok");
  EXPECT_EQ(server.requests().size(), 3u);
}

}  // namespace
}  // namespace postern::scheduler
