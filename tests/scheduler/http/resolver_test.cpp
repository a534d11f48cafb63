#include "scheduler/http/resolver.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "tests/scheduler/support/dns_server.h"

namespace postern::scheduler {
namespace {

using namespace std::chrono_literals;
using test::DnsReply;
using test::DnsServer;
using Clock = Resolver::Clock;
using Answers = std::map<std::string, Addresses>;

// Runs the resolver as its owner would, until it has given `count` answers.
Answers wait_for(Resolver& resolver, std::size_t count) {
  Answers answers;
  const auto limit = Clock::now() + 20s;
  while (answers.size() < count && Clock::now() < limit) {
    const auto until = std::min(limit, resolver.next_timer().value_or(limit));
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd fd{resolver.fd(), POLLIN, 0};
    poll(&fd, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
    resolver.process();
    for (auto& answer : resolver.take_answers()) {
      EXPECT_TRUE(answers.emplace(answer.name, std::move(answer.addresses)).second)
          << answer.name << " is answered twice";
    }
  }
  EXPECT_EQ(answers.size(), count);
  return answers;
}

Resolver::Options asking(const DnsServer& server) {
  Resolver::Options options;
  options.servers = server.endpoint();
  options.resolv_conf = "/dev/null";
  options.first_try = 500ms;  // long enough for answers on a loaded machine
  options.tries = 2;
  return options;
}

Addresses look_up(Resolver& resolver, const std::string& name) {
  resolver.look_up(name, Clock::now() + 20s);
  return wait_for(resolver, 1)[name];
}

TEST(Resolver, FindsTheAddressesOfBothFamiliesIPv4First) {
  std::vector<std::string> many, many_ipv6;
  for (int i = 0; i < 500; ++i) {
    many.push_back(fmt::format("203.0.{}.{}", i / 250, i % 250));
    many_ipv6.push_back(fmt::format("2001:db8::{:x}", i + 1));
  }
  const std::map<std::string, DnsReply> zone = {
      {"both.test", {.addresses = {"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"}}},
      {"mixed.test", {.addresses = {"93.184.216.34", "::1"}}},
      {"four.test", {.addresses = {"192.0.2.4"}}},
      {"six.test", {.addresses = {"2001:db8::6"}}},
      {"mapped.test", {.addresses = {"::ffff:127.0.0.1"}}},
      {"alias.test", {.alias = "target.test", .addresses = {"192.0.2.5"}}},
      {"many.test", {.addresses = many}},  // does not fit into a datagram: again over TCP
      {"many6.test", {.addresses = many_ipv6}},
      {"none.test", {}},
      {"gone.test", {.kind = DnsReply::Kind::no_such_name}},
      {"failing.test", {.kind = DnsReply::Kind::server_failure}},
      {"silent.test", {.kind = DnsReply::Kind::silence}},
  };
  const DnsServer server([&](const std::string& name) { return zone.at(name); });
  Resolver resolver(asking(server));
  for (const auto& [name, reply] : zone) resolver.look_up(name, Clock::now() + 20s);
  EXPECT_TRUE(resolver.take_answers().empty()) << "an answer came before any server could give it";
  Answers answers = wait_for(resolver, zone.size());

  const Answers expected = {
      {"both.test", {"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"}},
      {"mixed.test", {"93.184.216.34", "::1"}},
      {"four.test", {"192.0.2.4"}},
      {"six.test", {"2001:db8::6"}},
      {"mapped.test", {"::ffff:127.0.0.1"}},
      {"alias.test", {"192.0.2.5"}},
      {"many.test", {many.begin(), many.begin() + 8}},
      {"many6.test", {many_ipv6.begin(), many_ipv6.begin() + 8}},
      {"none.test", {}},
      {"gone.test", {}},
      {"failing.test", {}},
      {"silent.test", {}},
  };
  for (const auto& [name, addresses] : expected) EXPECT_EQ(answers[name], addresses) << name;
}

TEST(Resolver, CachesAddresses) {
  const DnsServer server([](const std::string&) { return DnsReply{.addresses = {"192.0.2.1"}}; });
  Resolver::Options options = asking(server);
  options.kept = 300ms;
  Resolver resolver(options);
  EXPECT_EQ(resolver.recall("a.test"), nullptr);
  const auto asked = Clock::now();
  look_up(resolver, "a.test");

  const Addresses* kept = resolver.recall("a.test");
  while (kept && Clock::now() < asked + 20s) {
    EXPECT_EQ(*kept, Addresses{"192.0.2.1"});
    kept = resolver.recall("a.test");
  }
  EXPECT_EQ(kept, nullptr);
  EXPECT_GE(Clock::now() - asked, 300ms);
}

TEST(Resolver, CachesAFailureForAShorterTime) {
  const DnsServer server([](const std::string& name) {
    if (name == "gone.test") return DnsReply{.kind = DnsReply::Kind::no_such_name};
    return DnsReply{.addresses = {"192.0.2.1"}};
  });
  Resolver::Options options = asking(server);
  options.kept_failure = 0ms;
  Resolver resolver(options);
  look_up(resolver, "gone.test");
  look_up(resolver, "there.test");
  EXPECT_EQ(resolver.recall("gone.test"), nullptr);
  EXPECT_NE(resolver.recall("there.test"), nullptr);
}

TEST(Resolver, LimitsTheCachedNames) {
  const DnsServer server([](const std::string&) { return DnsReply{.addresses = {"192.0.2.1"}}; });
  Resolver::Options options = asking(server);
  options.max_kept = 3;
  Resolver resolver(options);
  for (int i = 0; i < 10; ++i) look_up(resolver, fmt::format("{}.test", i));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(resolver.recall(fmt::format("{}.test", i)) != nullptr, i >= 7) << i;
  }
}

TEST(Resolver, JoinsLookupsOfTheSameName) {
  const DnsServer server([](const std::string&) { return DnsReply{.addresses = {"192.0.2.1"}}; });
  Resolver::Options options = asking(server);
  options.first_try = 10s;  // a second one would ask again
  Resolver resolver(options);
  for (int i = 0; i < 1000; ++i) resolver.look_up("a.test", Clock::now() + 20s);
  EXPECT_EQ(resolver.lookups(), 1u);
  EXPECT_EQ(wait_for(resolver, 1)["a.test"], Addresses{"192.0.2.1"});
  EXPECT_EQ(server.queries("a.test"), 2) << "once per family";
}

TEST(Resolver, QueuesLookupsOverTheLimit) {
  const DnsServer server([](const std::string&) { return DnsReply{.addresses = {"192.0.2.1"}}; });
  Resolver::Options options = asking(server);
  options.max_lookups = 4;
  Resolver resolver(options);
  for (int i = 0; i < 100; ++i) {
    resolver.look_up(fmt::format("{}.test", i), Clock::now() + 20s);
    EXPECT_LE(resolver.lookups(), 4u);
  }
  for (const auto& [name, addresses] : wait_for(resolver, 100)) {
    EXPECT_EQ(addresses, Addresses{"192.0.2.1"}) << name;
  }
  EXPECT_EQ(resolver.lookups(), 0u);
}

TEST(Resolver, DropsAQueuedLookupThatNobodyWaitsFor) {
  const DnsServer server(
      [](const std::string&) { return DnsReply{.kind = DnsReply::Kind::silence}; });
  Resolver::Options options = asking(server);
  options.max_lookups = 1;
  options.first_try = 50ms;
  Resolver resolver(options);
  resolver.look_up("silent.test", Clock::now() + 20s);
  resolver.look_up("late.test", Clock::now() + 1ms);
  resolver.look_up("early.test", Clock::now() + 1ms);
  resolver.look_up("early.test", Clock::now() + 20s);  // a second caller waits longer
  EXPECT_EQ(wait_for(resolver, 2).count("late.test"), 0u);
  EXPECT_EQ(server.queries("late.test"), 0);
  EXPECT_GT(server.queries("early.test"), 0);
}

TEST(Resolver, ReadsTheHostsFileFirst) {
  const DnsServer server([](const std::string&) { return DnsReply{.addresses = {"192.0.2.1"}}; });
  Resolver resolver(asking(server));
  const Addresses addresses = look_up(resolver, "localhost");
  EXPECT_NE(std::find(addresses.begin(), addresses.end(), "127.0.0.1"), addresses.end());
  EXPECT_EQ(server.queries("localhost"), 0);
}

// resolv.conf changes while the process runs: at boot, and when the machine changes its network.
TEST(Resolver, RereadsItsConfigurationEvenWithLookupsUnderWay) {
  const DnsServer old_server(
      [](const std::string&) { return DnsReply{.kind = DnsReply::Kind::silence}; });
  const DnsServer new_server(
      [](const std::string&) { return DnsReply{.addresses = {"192.0.2.2"}}; }, "127.0.0.2",
      old_server.port());
  const std::string path = fmt::format("{}/postern-resolv-{}", testing::TempDir(), getpid());
  std::ofstream(path) << "nameserver 127.0.0.1\n";
  Resolver::Options options;
  options.resolv_conf = path;
  options.port = static_cast<std::uint16_t>(old_server.port());
  options.first_try = 60s;
  Resolver resolver(options);
  resolver.look_up("stuck.test", Clock::now() + 60s);
  resolver.process();

  const std::string fresh = path + ".new";
  std::ofstream(fresh) << "nameserver 127.0.0.2\n";
  ASSERT_EQ(std::rename(fresh.c_str(), path.c_str()), 0);
  Answers answers;
  const auto begun = Clock::now();
  for (int i = 0; answers.count("stuck.test") == 0 && Clock::now() < begun + 30s; ++i) {
    resolver.look_up(fmt::format("{}.test", i), Clock::now() + 60s);
    pollfd fd{resolver.fd(), POLLIN, 0};
    poll(&fd, 1, 10);
    resolver.process();
    for (auto& answer : resolver.take_answers()) answers[answer.name] = answer.addresses;
  }
  std::remove(path.c_str());
  EXPECT_EQ(answers["stuck.test"], Addresses{"192.0.2.2"});
}

TEST(Resolver, CanBeDestroyedWithLookupsUnderWay) {
  const DnsServer server(
      [](const std::string&) { return DnsReply{.kind = DnsReply::Kind::silence}; });
  Resolver resolver(asking(server));
  for (int i = 0; i < 600; ++i) resolver.look_up(fmt::format("{}.test", i), Clock::now() + 20s);
}

}  // namespace
}  // namespace postern::scheduler
