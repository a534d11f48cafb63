// What the programs set for each session, whoever they log in as.
#include "db/pg/session.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "db/pg/channel.h"
#include "tests/support/database.h"

namespace postern::test {
namespace {

// A login that is only a member of a role, as an operator may make one.
class SessionTest : public ::testing::Test {
 protected:
  SessionTest() { owner_.script("CREATE ROLE " + name_ + " LOGIN IN ROLE postern_scheduler"); }
  ~SessionTest() override { owner_.script("DROP ROLE " + name_); }

  db::PgConnection::Options options() const {
    auto options = database_.options(name_);
    options.session = db::scheduler_session();
    return options;
  }
  static std::string show(db::PgConnection& connection, const std::string& setting) {
    return std::string(connection.exec({"", ("SHOW " + setting).c_str()}).text(0, 0));
  }
  // What the channel's session has; empty: no answer within ten seconds.
  static std::string show(db::Channel& channel) {
    constexpr db::Statement kShow{"",
                                  "SELECT current_setting('enable_seqscan') || ' ' || "
                                  "current_setting('statement_timeout')"};
    std::string told;
    bool asked = false;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (told.empty() && std::chrono::steady_clock::now() < end) {
      if (!asked && channel.connected()) {
        asked = true;
        channel.submit(
            kShow, {}, [&](const db::PgResult& result) { told = result.text(0, 0); },
            [&](const db::PgError&) { asked = false; });
      }
      channel.drive(std::chrono::steady_clock::now());
      pollfd fd{channel.socket(),
                static_cast<short>(POLLIN | (channel.wants_write() ? POLLOUT : 0)), 0};
      poll(&fd, 1, 20);
    }
    return told;
  }

  Database database_;
  db::PgConnection owner_ = database_.connect();
  const std::string name_ = "member_" + database_.name();
};

TEST_F(SessionTest, AMemberOfTheRoleGetsWhatTheProgramSets) {
  auto connection = db::PgConnection::connect(options());
  for (const auto& [name, value] : db::scheduler_session()) {
    const auto has =
        connection.exec({"", "SELECT current_setting($1, true)"}, db::Params().text(name));
    if (has.is_null(0, 0)) continue;  // a newer server's
    EXPECT_EQ(has.text(0, 0), value) << name;
  }
  EXPECT_EQ(show(connection, "statement_timeout"),
            std::to_string(db::kSchedulerStatementTimeout.count()) + "s");
}

TEST_F(SessionTest, AChannelSetsItAgainAfterAReconnect) {
  db::Channel channel(options(), "postern_ready");
  EXPECT_EQ(show(channel), "off 15s");
  owner_.script("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + name_ +
                "'");
  EXPECT_EQ(show(channel), "off 15s");
  EXPECT_EQ(channel.connects(), 2);
}

TEST_F(SessionTest, TheConnectionStringWinsAndUnknownSettingsAreLeftOut) {
  constexpr db::SessionSetting kSettings[]{
      {"lock_timeout", "1s"}, {"no_such_setting", "on"}, {"enable_sort", "off"}};
  auto own = options();
  own.conninfo += "&options=-c%20lock_timeout%3D7s";
  own.session = kSettings;
  auto connection = db::PgConnection::connect(own);
  EXPECT_EQ(show(connection, "lock_timeout"), "7s");
  EXPECT_EQ(show(connection, "enable_sort"), "off");
}

}  // namespace
}  // namespace postern::test
