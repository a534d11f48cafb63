// Behind a PgBouncer in transaction mode the question to the primary is repeated, since another
// server may have come to stand behind the connection.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "db/pg/channel.h"
#include "db/pg/pool.h"
#include "tests/support/database.h"

namespace postern::test {
namespace {

namespace fs = std::filesystem;

class QuestionTest : public ::testing::Test {
 protected:
  // A process: what it remembers, and what it has told.
  struct Process {
    explicit Process(const std::string& folder)
        : primary(folder, [this](const char* what, const std::string& sentence) {
            told.push_back(std::string(what) + ": " + sentence);
          }) {}
    std::vector<std::string> told;
    db::Primary primary;
  };

  ~QuestionTest() override { fs::remove_all(folder_); }
  static std::string make_folder() {
    std::string name = (fs::temp_directory_path() / "postern-question-XXXXXX").string();
    return mkdtemp(name.data());
  }
  // Of a connection that repeats it before each statement.
  db::PgConnection::Options options() const {
    auto out = database_.options("postern_api");
    out.primary = std::shared_ptr<db::Primary>(process_, &process_->primary);
    out.prepare = false;
    out.ask_every = Milliseconds{0};
    return out;
  }
  // Another program has seen a failover, of which this one knows only once it asks.
  void fail_over() const {
    const auto now = db::read_primary(folder_).value();
    db::write_primary(folder_, {now.system, now.timeline + 1, 0});
  }
  void revoke(const std::string& function) {
    connection_.script("REVOKE EXECUTE ON FUNCTION " + function + " FROM PUBLIC");
  }
  // What becomes of a statement of the channel: "1", its answer; "unsent" or "unsure".
  static std::string run(db::Channel& channel) {
    std::string out;
    channel.submit(
        kOne, {}, [&out](const db::PgResult& answer) { out = answer.text(0, 0); },
        [&out](const db::PgError& error) { out = error.connection_lost() ? "unsure" : "unsent"; });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (out.empty()) {
      const auto now = std::chrono::steady_clock::now();
      if (now > end) return "nothing";
      channel.drive(now);
      pollfd fd{channel.socket(),
                static_cast<short>(POLLIN | (channel.wants_write() ? POLLOUT : 0)), 0};
      poll(&fd, 1, 20);
    }
    return out;
  }
  static constexpr db::Statement kOne{"one", "SELECT '1'"};
  static constexpr const char* kSystem = "pg_control_system()";
  static constexpr const char* kTimeline = "pg_walfile_name(pg_lsn)";

  Database database_;
  db::PgConnection connection_ = database_.connect();
  const std::string folder_ = make_folder();
  std::shared_ptr<Process> process_ = std::make_shared<Process>(folder_);
};

TEST_F(QuestionTest, AConnectionRepeatsIt) {
  auto connection = db::PgConnection::connect(options());
  EXPECT_EQ(connection.exec(kOne).text(0, 0), "1");
  fail_over();
  EXPECT_TRUE(connection.alive());
  try {
    connection.exec(kOne);
    FAIL() << "nothing is sent to a former primary";
  } catch (const db::PgError& error) {
    EXPECT_TRUE(error.connection_lost());
  }
  EXPECT_FALSE(connection.alive());
}

TEST_F(QuestionTest, AChannelRepeatsIt) {
  db::Channel channel(options(), "");
  EXPECT_EQ(run(channel), "1");
  EXPECT_EQ(run(channel), "1");
  EXPECT_EQ(channel.connects(), 1);
  fail_over();
  EXPECT_EQ(run(channel), "unsent");
  EXPECT_FALSE(channel.connected());
}

TEST_F(QuestionTest, IsNotRepeatedBeforeItIsDue) {
  auto now_and_then = options();
  now_and_then.ask_every = std::chrono::hours(1);
  auto connection = db::PgConnection::connect(now_and_then);
  db::Channel channel(now_and_then, "");
  EXPECT_EQ(run(channel), "1");
  fail_over();
  EXPECT_EQ(connection.exec(kOne).text(0, 0), "1");
  EXPECT_EQ(run(channel), "1");
}

TEST_F(QuestionTest, IsNotRepeatedWithoutAPgBouncer) {
  auto direct = options();
  direct.prepare = true;
  auto connection = db::PgConnection::connect(direct);
  db::Channel channel(direct, "");
  EXPECT_EQ(run(channel), "1");
  fail_over();
  EXPECT_EQ(connection.exec(kOne).text(0, 0), "1");
  EXPECT_EQ(run(channel), "1");
}

// A channel once asked for ever, and sent nothing else.
TEST_F(QuestionTest, AChannelGoesOnWithLessOnceItIsRefused) {
  db::Channel channel(options(), "");
  EXPECT_EQ(run(channel), "1");
  int connects = 1;
  for (const char* function : {kSystem, kTimeline}) {
    revoke(function);
    ASSERT_EQ(run(channel), "unsent") << function;
    EXPECT_NE(channel.last_error().find("permission denied"), std::string::npos)
        << channel.last_error();
    ++connects;
    for (int i = 0; i < 3; ++i) ASSERT_EQ(run(channel), "1") << function;
    EXPECT_EQ(channel.connects(), connects) << "it comes back once";
    EXPECT_EQ(process_->told.size(), static_cast<std::size_t>(connects - 1));
  }
  EXPECT_EQ(process_->primary.question(), "");
}

// A pool once lent for ever a connection that failed at each statement.
TEST_F(QuestionTest, APoolGoesOnWithLessOnceItIsRefused) {
  db::Pool pool(options(), 1);
  EXPECT_EQ((*pool.acquire()).exec(kOne).text(0, 0), "1");
  for (const char* function : {kSystem, kTimeline}) {
    revoke(function);
    try {
      (*pool.acquire()).exec(kOne);
      ADD_FAILURE() << "the question was refused: " << function;
    } catch (const db::PgError& error) {
      EXPECT_TRUE(error.connection_lost()) << error.what();
    }
    for (int i = 0; i < 3; ++i) EXPECT_EQ((*pool.acquire()).exec(kOne).text(0, 0), "1") << function;
  }
  ASSERT_EQ(process_->told.size(), 2U);
  for (const auto& told : process_->told) EXPECT_EQ(told.substr(0, 9), "unjudged:");
}

}  // namespace
}  // namespace postern::test
