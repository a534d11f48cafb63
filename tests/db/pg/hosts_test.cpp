#include "db/pg/hosts.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>

#include "db/pg/channel.h"
#include "db/pg/login.h"
#include "tests/support/database.h"
#include "tests/support/listener.h"

namespace postern::test {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::string> names_of(const std::string& conninfo) {
  std::vector<std::string> names;
  for (const auto& host : db::hosts_of(conninfo)) names.push_back(host.name);
  return names;
}

using Names = std::vector<std::string>;

TEST(Hosts, AreTheOnesOfTheConnectionString) {
  EXPECT_EQ(names_of("host=a,b,c port=5433 dbname=x"), (Names{"a:5433", "b:5433", "c:5433"}));
  EXPECT_EQ(names_of("host=a,b port=1,2"), (Names{"a:1", "b:2"}));
  EXPECT_EQ(names_of("postgresql://u@a:1,b:2/x?sslmode=require"), (Names{"a:1", "b:2"}));
  EXPECT_EQ(names_of("host=a,b hostaddr=10.0.0.1,10.0.0.2"), (Names{"a", "b"}));
  EXPECT_EQ(names_of("hostaddr=10.0.0.1,10.0.0.2"), (Names{"10.0.0.1", "10.0.0.2"}));
  EXPECT_EQ(names_of("host=/run/postgresql,b"), (Names{"/run/postgresql", "b"}));
}

TEST(Hosts, EachHasAConnectionStringOfItsOwn) {
  const auto hosts = db::hosts_of("postgresql://u:p%20w@a:1,b:2/x?sslmode=require");
  ASSERT_EQ(hosts.size(), 2U);
  EXPECT_EQ(db::conninfo_value(hosts[1].conninfo, "host"), "b");
  EXPECT_EQ(db::conninfo_value(hosts[1].conninfo, "port"), "2");
  EXPECT_EQ(db::conninfo_value(hosts[1].conninfo, "password"), "p w");
  EXPECT_EQ(db::conninfo_value(hosts[1].conninfo, "sslmode"), "require");
  const auto addressed = db::hosts_of("host=a,b hostaddr=,10.0.0.2");
  EXPECT_EQ(db::conninfo_value(addressed[0].conninfo, "hostaddr"), "");
  EXPECT_EQ(db::conninfo_value(addressed[1].conninfo, "hostaddr"), "10.0.0.2");
}

TEST(Hosts, WhatIsNotAListStandsAsItIs) {
  for (const std::string text :
       {"dbname=x", "postern", "host=a", "host=/run/postgresql port=5433", "host=a,b port=1,2,3",
        "host=a,b hostaddr=10.0.0.1", "no connection = 'string", "postgresql:///x",
        "host=a,b target_session_attrs=prefer-standby"}) {
    const auto hosts = db::hosts_of(text);
    ASSERT_EQ(hosts.size(), 1U) << text;
    EXPECT_EQ(hosts[0].conninfo, text);
  }
}

TEST(Hosts, TheEnvironmentCountsWhereTheStringNamesNone) {
  setenv("PGHOST", "a,b", 1);
  EXPECT_EQ(names_of("dbname=x"), (Names{"a", "b"}));
  EXPECT_EQ(names_of("host=c dbname=x").size(), 1U);
  unsetenv("PGHOST");
}

TEST(Hosts, TheLastGoodOneComesFirstAndSilentOnesLast) {
  const std::string conninfo = "host=a,b,c dbname=order";
  const auto first = [&] { return db::HostWalk(conninfo).host().name; };
  db::HostWalk walk(conninfo);
  EXPECT_TRUE(walk.next("refused", false));
  EXPECT_EQ(walk.host().name, "b");
  EXPECT_EQ(first(), "a") << "one that refuses may be the next primary";
  walk.good();
  EXPECT_EQ(first(), "b");
  db::HostWalk other(conninfo);
  EXPECT_TRUE(other.next("no answer", true));
  EXPECT_EQ(first(), "a");
  EXPECT_TRUE(other.next("refused", false));
  EXPECT_FALSE(other.next("refused", false));
  EXPECT_EQ(other.error(), "none of the 3 hosts can be used: b: no answer; a: refused; c: refused");
}

class TwoHosts : public ::testing::Test {
 protected:
  // The frozen server before the good one. Another name makes it a string that nobody has used.
  db::PgConnection::Options options(const std::string& name, int frozen) const {
    auto options = database_.options();
    const auto socket = db::conninfo_value(options.conninfo, "host");
    options.conninfo =
        db::conninfo_with(options.conninfo, {{"host", "127.0.0.1," + socket},
                                             {"port", std::to_string(frozen) + ",5432"},
                                             {"connect_timeout", "5"},  // of the good one, too
                                             {"fallback_application_name", name}});
    return options;
  }
  static double seconds(const std::function<void()>& what) {
    const auto began = Clock::now();
    what();
    return std::chrono::duration<double>(Clock::now() - began).count();
  }
  static bool connects(db::Channel& channel) {
    const auto end = Clock::now() + std::chrono::seconds(20);
    while (!channel.connected() && Clock::now() < end) {
      channel.drive(Clock::now());
      pollfd fd{channel.socket(), static_cast<short>(channel.wants_write() ? POLLOUT : POLLIN), 0};
      poll(&fd, 1, 20);
    }
    return channel.connected();
  }
  Database database_;
  Listener frozen_;
};

TEST_F(TwoHosts, AFrozenOneIsPassedWithinItsLimitOnce) {
  const auto both = options("blocking", frozen_.port());
  const auto connect = [&] { EXPECT_TRUE(db::PgConnection::connect(both).alive()); };
  const auto first = seconds(connect);
  EXPECT_GT(first, 4.9);
  EXPECT_LT(first, 15);
  EXPECT_EQ(frozen_.arrivals(), 1);
  connect();
  EXPECT_EQ(frozen_.arrivals(), 0) << "the other one is known to be good";
}

TEST_F(TwoHosts, AChannelPassesAFrozenOneToo) {
  const auto both = options("channel", frozen_.port());
  db::Channel channel(both, "postern_ready");
  EXPECT_LT(seconds([&] { EXPECT_TRUE(connects(channel)) << channel.last_error(); }), 15);
  db::Channel next(both, "");
  EXPECT_TRUE(connects(next));
  EXPECT_EQ(frozen_.arrivals(), 1);
}

TEST_F(TwoHosts, AnErrorNamesEachAndWhy) {
  auto both = options("errors", frozen_.port());
  both.conninfo = db::conninfo_with(both.conninfo, {{"dbname", "nowhere"}, {"password", "hush"}});
  try {
    db::PgConnection::connect(both);
    FAIL() << "there is no such database";
  } catch (const db::PgError& error) {
    EXPECT_TRUE(error.connection_lost());
    const std::string text = error.what();
    EXPECT_NE(text.find("127.0.0.1:" + std::to_string(frozen_.port()) + ": no answer within 5 s"),
              text.npos)
        << text;
    EXPECT_NE(text.find("database \"nowhere\" does not exist"), text.npos) << text;
    EXPECT_EQ(text.find("hush"), text.npos) << text;
  }
}

TEST_F(TwoHosts, OneThatIsReadOnlyIsPassedUnlessTheStringSaysOtherwise) {
  auto both = options("read-only", frozen_.port());
  both.conninfo =
      db::conninfo_with(both.conninfo, {{"options", "-c default_transaction_read_only=on"}});
  try {
    db::PgConnection::connect(both);
    FAIL() << "it takes no writes";
  } catch (const db::PgError& error) {
    EXPECT_NE(std::string(error.what()).find("read-only"), std::string::npos) << error.what();
  }
  both.conninfo = db::conninfo_with(both.conninfo, {{"target_session_attrs", "any"}});
  EXPECT_TRUE(db::PgConnection::connect(both).alive());
}

}  // namespace
}  // namespace postern::test
