#include "db/pg/channel.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/support/database.h"

namespace postern::test {
namespace {

class ChannelTest : public ::testing::Test {
 protected:
  // Turns the channel until `done` or ten seconds are over.
  static bool turn_until(db::Channel& channel, const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      const auto now = std::chrono::steady_clock::now();
      if (now > end) return false;
      channel.drive(now);
      if (done()) break;
      pollfd fd{channel.socket(),
                static_cast<short>(POLLIN | (channel.wants_write() ? POLLOUT : 0)), 0};
      poll(&fd, 1, 20);
    }
    return true;
  }
  static void ignore(const db::PgError&) {}

  Database database_;
};

constexpr db::Statement kDouble{"double", "SELECT $1::int8 * 2"};

db::Params number(std::int64_t n) {
  db::Params params;
  params.int8(n);
  return params;
}

TEST_F(ChannelTest, AnswersInOrder) {
  db::Channel channel(database_.options(), "");
  std::vector<std::int64_t> answers;
  for (int i = 0; i < 100; ++i) {
    channel.submit(
        kDouble, number(i), [&](const db::PgResult& r) { answers.push_back(r.integer(0, 0)); },
        ignore);
  }
  ASSERT_TRUE(turn_until(channel, [&] { return answers.size() == 100; }));
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(answers[i], static_cast<std::int64_t>(2 * i));
}

TEST_F(ChannelTest, ARefusalDoesNotDisturbTheNext) {
  db::Channel channel(database_.options(), "");
  constexpr db::Statement bad{"bad", "SELECT 1 / $1::int8"};
  std::string sqlstate;
  bool answered = false;
  channel.submit(
      bad, number(0), [](const db::PgResult&) {},
      [&](const db::PgError& error) { sqlstate = error.sqlstate(); });
  channel.submit(
      kDouble, number(1), [&](const db::PgResult&) { answered = true; }, ignore);
  ASSERT_TRUE(turn_until(channel, [&] { return answered; }));
  EXPECT_EQ(sqlstate, "22012");
}

TEST_F(ChannelTest, AnErrorAtCommitIsAFailure) {
  auto connection = database_.connect();
  connection.script(
      "CREATE TABLE p (n int PRIMARY KEY); CREATE TABLE c (n int REFERENCES p DEFERRABLE INITIALLY "
      "DEFERRED)");
  db::Channel channel(database_.options(), "");
  constexpr db::Statement orphan{"orphan", "INSERT INTO c VALUES (1) RETURNING n"};
  bool done = false;
  std::string sqlstate;
  channel.submit(
      orphan, {}, [&](const db::PgResult&) { done = true; },
      [&](const db::PgError& error) { sqlstate = error.sqlstate(); });
  ASSERT_TRUE(turn_until(channel, [&] { return done || !sqlstate.empty(); }));
  EXPECT_EQ(sqlstate, "23503");
}

TEST_F(ChannelTest, ReconnectsAndTellsWhatIsNotKnown) {
  db::Channel channel(database_.options(), "");
  std::int64_t pid = 0;
  constexpr db::Statement my_pid{"", "SELECT pg_backend_pid()"};
  channel.submit(
      my_pid, {}, [&](const db::PgResult& r) { pid = r.integer(0, 0); }, ignore);
  ASSERT_TRUE(turn_until(channel, [&] { return pid != 0; }));

  constexpr db::Statement sleep{"", "SELECT pg_sleep(600)"};
  std::vector<bool> unknown;
  const auto note = [&](const db::PgError& error) { unknown.push_back(error.connection_lost()); };
  channel.submit(
      sleep, {}, [](const db::PgResult&) {}, note);
  channel.submit(
      kDouble, number(1), [](const db::PgResult&) {}, note);
  auto other = database_.connect();
  ASSERT_TRUE(turn_until(channel, [&] {
    return other
               .exec({"",
                      "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = "
                      "'active' AND pid <> pg_backend_pid()"})
               .rows() == 1;
  }));
  other.exec({"", "SELECT pg_terminate_backend($1)"},
             db::Params().int4(static_cast<std::int32_t>(pid)));
  ASSERT_TRUE(turn_until(channel, [&] { return unknown.size() == 2; }));
  EXPECT_TRUE(unknown[0]) << "the statement under way may have taken effect";
  EXPECT_FALSE(unknown[1]) << "the one behind it was never sent";

  bool again = false;
  channel.submit(
      kDouble, number(1), [&](const db::PgResult&) { again = true; }, ignore);
  ASSERT_TRUE(turn_until(channel, [&] { return again || channel.pending() == 0; }));
  EXPECT_TRUE(again);
  EXPECT_EQ(channel.connects(), 2);
}

TEST_F(ChannelTest, HearsNotifications) {
  db::Channel channel(database_.options(), "postern_ready");
  bool connected = false;
  channel.submit(
      kDouble, number(1), [&](const db::PgResult&) { connected = true; }, ignore);
  ASSERT_TRUE(turn_until(channel, [&] { return connected; }));
  database_.connect().exec({"", "SELECT pg_notify('postern_ready', '12,-7')"});
  std::vector<db::Notification> heard;
  ASSERT_TRUE(turn_until(channel, [&] {
    for (auto& n : channel.take_notifications()) heard.push_back(n);
    return !heard.empty();
  }));
  EXPECT_EQ(heard[0].payload, "12,-7");
}

TEST_F(ChannelTest, AServerThatIsNotThereIsTriedAgainLater) {
  db::Channel channel({"host=/nonexistent dbname=x", "test"}, "");
  auto now = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    channel.drive(now);
    channel.drive(now);
    ASSERT_FALSE(channel.connected());
    ASSERT_TRUE(channel.wake_at().has_value());
    EXPECT_GT(*channel.wake_at(), now);
    EXPECT_LE(*channel.wake_at(), now + std::chrono::seconds(1));
    now = *channel.wake_at();
  }
  EXPECT_FALSE(channel.last_error().empty());
}

TEST_F(ChannelTest, FourOfThemDoNotHammerAServerThatRefuses) {
  std::vector<std::unique_ptr<db::Channel>> channels;
  for (int i = 0; i < 4; ++i) {
    channels.push_back(std::make_unique<db::Channel>(
        db::PgConnection::Options{"host=/nonexistent dbname=x", "test"}, ""));
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto end = begin + std::chrono::seconds(60);
  int attempts = 0;
  std::vector<Monotonic> at(channels.size(), begin);
  for (std::size_t i = 0; i < channels.size(); ++i) {
    while (at[i] < end) {
      channels[i]->drive(at[i]);
      ++attempts;
      at[i] = *channels[i]->wake_at();
    }
  }
  // Pauses of 0.5 to 1 s, each.
  EXPECT_LE(attempts, 4 * 120);
  EXPECT_GE(attempts, 4 * 60);
  std::sort(at.begin(), at.end());
  EXPECT_NE(at.front(), at.back()) << "they come one by one";
  RecordProperty("attempts_a_second", std::to_string(attempts / 60.0));
  std::printf("%.1f attempts a second\n", attempts / 60.0);
}

}  // namespace
}  // namespace postern::test
