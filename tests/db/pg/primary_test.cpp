#include "db/pg/primary.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "db/pg/channel.h"
#include "db/pg/login.h"
#include "db/pg/pool.h"
#include "tests/support/database.h"

namespace postern::test {
namespace {

namespace fs = std::filesystem;

class PrimaryTest : public ::testing::Test {
 protected:
  PrimaryTest() {
    std::string name = (fs::temp_directory_path() / "postern-primary-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~PrimaryTest() override {
    chmod(folder_.c_str(), 0700);
    fs::remove_all(folder_);
  }

  // A process: what it remembers, and what it has told.
  struct Process {
    template <class Folders>  // of a daemon or of a command
    explicit Process(const Folders& folders)
        : primary(folders, [this](const char* what, const std::string& sentence) {
            told.push_back(std::string(what) + ": " + sentence);
          }) {}
    std::vector<std::string> told;
    db::Primary primary;
  };

  // Whether it takes a server that answers so.
  bool takes(Process& process, std::int64_t system, int timeline) {
    std::ostringstream sql;
    sql << "SELECT '" << std::hex << std::uppercase;
    sql.width(8);
    sql.fill('0');
    sql << timeline << "0000000000000001' AS wal_file, '" << std::dec << system << "' AS system";
    const auto answer = connection_.exec({"", sql.str().c_str()});
    try {
      process.primary.judge(answer);
      return true;
    } catch (const db::PgError& error) {
      EXPECT_TRUE(error.connection_lost());
      why_ = error.what();
      return false;
    }
  }
  std::string text() const {
    std::ifstream file(db::primary_path(folder_));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& text) const { std::ofstream(db::primary_path(folder_)) << text; }

  Database database_;
  db::PgConnection connection_ = database_.connect();
  std::string folder_;
  std::string why_;
};

TEST_F(PrimaryTest, OfALowerTimelineIsRefusedAndOfANewerOneTaken) {
  Process process("");
  EXPECT_TRUE(takes(process, 7, 4));
  EXPECT_TRUE(takes(process, 7, 4));
  EXPECT_EQ(process.primary.generation(), 0U);
  EXPECT_FALSE(takes(process, 7, 3));
  EXPECT_NE(why_.find("timeline 3"), why_.npos) << why_;
  EXPECT_NE(why_.find("seen 4"), why_.npos) << why_;
  EXPECT_NE(why_.find("postern cell accept"), why_.npos) << why_;
  EXPECT_TRUE(takes(process, 7, 0x1f));
  EXPECT_EQ(process.primary.generation(), 1U) << "connections to the former one end";
  EXPECT_FALSE(takes(process, 7, 4));
  EXPECT_FALSE(takes(process, 8, 0x20)) << "another database";
  EXPECT_NE(why_.find("system 8"), why_.npos) << why_;
  ASSERT_EQ(process.told.size(), 2U) << "a refusal is told once in a while";
  EXPECT_EQ(process.told[0].substr(0, 8), "refused:");
  EXPECT_EQ(process.told[1].substr(0, 8), "changed:");
}

TEST_F(PrimaryTest, IsRememberedInAFile) {
  Process process(folder_);
  EXPECT_TRUE(takes(process, 7123456789012345678, 4));
  EXPECT_EQ(text(), "postern primary 1\nsystem 7123456789012345678\ntimeline 4\naccepted 0\n");
  Process next(folder_);
  EXPECT_FALSE(takes(next, 7123456789012345678, 3));
  Process another(folder_);
  EXPECT_TRUE(takes(another, 7123456789012345678, 5));
  EXPECT_FALSE(takes(process, 7123456789012345678, 4)) << "another program has seen more";
}

TEST_F(PrimaryTest, WhatAnOperatorAcceptsIsTakenByRunningPrograms) {
  Process process(folder_);
  EXPECT_TRUE(takes(process, 7, 4));
  EXPECT_FALSE(takes(process, 9, 1));
  db::write_primary(folder_, {9, 1, 1'800'000'000});
  EXPECT_TRUE(takes(process, 9, 1));
  EXPECT_EQ(process.primary.generation(), 1U);
  EXPECT_FALSE(takes(process, 7, 4)) << "and the former one is no more";
  EXPECT_EQ(text(), "postern primary 1\nsystem 9\ntimeline 1\naccepted 1800000000\n");
  // An older file changes nothing.
  db::write_primary(folder_, {7, 4, 1'700'000'000});
  EXPECT_FALSE(takes(process, 7, 4));
}

TEST_F(PrimaryTest, AFileThatIsDamagedIsToldAndReplaced) {
  for (const std::string damaged :
       {"", "postern primary 1\n", "postern primary 2\nsystem 1\ntimeline 1\naccepted 0\n",
        "postern primary 1\nsystem x\ntimeline 1\naccepted 0\n",
        "postern primary 1\nsystem 1\ntimeline -1\naccepted 0\n",
        "postern primary 1\nsystem 1\ntimeline 99999999999999999999\naccepted 0\n",
        "postern primary 1\nsystem 1\ntimeline 1\naccepted 0\nmore\n"}) {
    write(damaged);
    Process process(folder_);
    EXPECT_TRUE(takes(process, 7, 4)) << damaged;
    ASSERT_EQ(process.told.size(), 1U) << damaged;
    EXPECT_EQ(process.told[0].substr(0, 7), "unkept:");
    EXPECT_EQ(text(), "postern primary 1\nsystem 7\ntimeline 4\naccepted 0\n") << damaged;
  }
  write(std::string(100'000, 'x'));
  Process process(folder_);
  EXPECT_TRUE(takes(process, 7, 4));
}

TEST_F(PrimaryTest, WithoutAFileItIsRememberedInMemory) {
  Process process(folder_ + "/nowhere");
  EXPECT_TRUE(takes(process, 7, 4));
  EXPECT_TRUE(takes(process, 7, 5));
  EXPECT_FALSE(takes(process, 7, 4));
  EXPECT_EQ(process.told.size(), 3U) << "unkept once, changed, refused";
  EXPECT_NE(process.told[0].find("No such file"), std::string::npos) << process.told[0];
}

TEST_F(PrimaryTest, ACommandRefusesWhatTheHostsProgramsWould) {
  const std::vector<std::string> folders{folder_ + "/nowhere", folder_};
  db::write_primary(folder_, {7, 4, 0});
  Process command(folders);
  EXPECT_FALSE(takes(command, 7, 3));
  EXPECT_NE(why_.find("seen 4"), why_.npos) << why_;
  EXPECT_NE(why_.find(db::primary_path(folder_)), why_.npos) << why_;
  EXPECT_NE(why_.find("postern cell accept"), why_.npos) << why_;
  EXPECT_TRUE(takes(command, 7, 4));
  EXPECT_TRUE(takes(command, 7, 5)) << "a failover in the middle of it";
  EXPECT_FALSE(takes(command, 7, 4)) << "what the command itself has seen holds, too";
  EXPECT_NE(why_.find("this command has seen 5"), why_.npos) << why_;
  EXPECT_FALSE(takes(command, 8, 9)) << "nor does it go on with another database";
  EXPECT_EQ(text(), "postern primary 1\nsystem 7\ntimeline 4\naccepted 0\n") << "it writes none";
  EXPECT_EQ(command.primary.generation(), 1U);
}

TEST_F(PrimaryTest, ACommandMayBeginWithAnotherDatabaseThanTheHostsPrograms) {
  const std::vector<std::string> folders{folder_};
  for (const std::string file :
       {"postern primary 1\nsystem 7\ntimeline 4\naccepted 0\n", "damaged"}) {
    write(file);
    Process command(folders);
    EXPECT_TRUE(takes(command, 8, 1)) << file;
    EXPECT_TRUE(command.told.empty());
    EXPECT_EQ(text(), file);
  }
}

// A server of our own, on whatever timeline it is.
TEST_F(PrimaryTest, EachConnectionAsksTheServer) {
  auto process = std::make_shared<Process>(folder_);
  auto options = database_.options("postern_api");
  options.primary = std::shared_ptr<db::Primary>(process, &process->primary);
  auto connection = db::PgConnection::connect(options);
  const auto now = db::primary_of(connection);
  EXPECT_NE(now.system, 0);
  EXPECT_GE(now.timeline, 1);
  EXPECT_EQ(db::read_primary(folder_), now);
  EXPECT_TRUE(process->told.empty());

  // Another program has seen a failover.
  db::write_primary(folder_, {now.system, now.timeline + 1, 0});
  EXPECT_TRUE(connection.alive()) << "it has not heard of it";
  EXPECT_THROW(db::PgConnection::connect(options), db::PgError);
  EXPECT_FALSE(connection.alive());
  try {
    connection.exec({"", "SELECT 1"});
    FAIL() << "nothing is sent to a former primary";
  } catch (const db::PgError& error) {
    EXPECT_TRUE(error.connection_lost());
  }
}

TEST_F(PrimaryTest, ChannelsAndPoolsLeaveAFormerOne) {
  auto process = std::make_shared<Process>("");
  auto options = database_.options("postern_api");
  options.primary = std::shared_ptr<db::Primary>(process, &process->primary);
  const auto now = db::primary_of(connection_);
  db::Channel channel(options, "");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!channel.connected() && std::chrono::steady_clock::now() < end) {
    channel.drive(std::chrono::steady_clock::now());
  }
  ASSERT_TRUE(channel.connected());
  db::Pool pool(options, 2);
  { EXPECT_TRUE((*pool.acquire()).alive()); }
  EXPECT_TRUE(takes(*process, now.system, static_cast<int>(now.timeline) + 1));
  channel.drive(std::chrono::steady_clock::now());
  EXPECT_FALSE(channel.connected());
  EXPECT_THROW(pool.acquire(), db::PgError) << "the idle one is not lent, and a new one is refused";
}

TEST_F(PrimaryTest, AServerThatDoesNotTellIsUsedAndThatIsSaid) {
  connection_.script(
      "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC; "
      "REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC");
  auto process = std::make_shared<Process>(folder_);
  auto options = database_.options("postern_api");
  options.primary = std::shared_ptr<db::Primary>(process, &process->primary);
  auto connection = db::PgConnection::connect(options);
  EXPECT_EQ(connection.exec({"", "SELECT current_setting('lock_timeout')"}).text(0, 0), "2s")
      << "the session's settings are there all the same";
  ASSERT_EQ(process->told.size(), 2U);
  for (const auto& told : process->told) EXPECT_EQ(told.substr(0, 9), "unjudged:");
  EXPECT_NE(process->told[1].find("pg_walfile_name"), std::string::npos) << process->told[1];
  db::PgConnection::connect(options);
  EXPECT_EQ(process->told.size(), 2U);
}

// Several connections may be under way when a server begins to refuse.
TEST_F(PrimaryTest, WhatManyAreRefusedAtOnceIsAskedNoMoreButTheRestIs) {
  Process process("");
  const auto all = process.primary.question();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(process.primary.ask_less(all, "42501", "denied"));
  const auto less = process.primary.question();
  EXPECT_NE(less, all);
  EXPECT_NE(less.find("pg_walfile_name"), std::string::npos) << "the timeline was refused to none";
  EXPECT_EQ(process.told.size(), 1U);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(process.primary.ask_less(less, "42501", "denied"));
  EXPECT_EQ(process.primary.question(), "");
  EXPECT_EQ(process.told.size(), 2U);
  EXPECT_FALSE(process.primary.ask_less("", "42501", "denied")) << "something else is refused";
  EXPECT_EQ(process.primary.question(), all);
}

TEST_F(PrimaryTest, AServerThatDoesNotTellIsUsedAlsoAfterAFailover) {
  auto process = std::make_shared<Process>(folder_);
  auto options = database_.options("postern_api");
  options.primary = std::shared_ptr<db::Primary>(process, &process->primary);
  db::PgConnection::connect(options);
  const auto now = db::read_primary(folder_).value();
  db::write_primary(folder_, {now.system, now.timeline, 1'800'000'000});
  db::PgConnection::connect(options);
  ASSERT_EQ(process->primary.generation(), 1U);
  connection_.script(
      "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC; "
      "REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC");
  auto connection = db::PgConnection::connect(options);
  EXPECT_EQ(process->primary.question(), "");
  EXPECT_TRUE(connection.alive());
  EXPECT_EQ(connection.exec({"", "SELECT '1'"}).text(0, 0), "1");
}

TEST_F(PrimaryTest, SettingsThatAreRefusedAreNotTakenForTheQuestion) {
  static constexpr db::SessionSetting kRefused[] = {{"log_statement", "all"}};
  Process process("");
  auto options = database_.options("postern_api");
  options.conninfo = db::conninfo_with(options.conninfo, {{"connect_timeout", "60"}});
  options.session = kRefused;
  options.primary = std::shared_ptr<db::Primary>(std::shared_ptr<void>(), &process.primary);
  const auto asked = process.primary.question();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THROW(db::PgConnection::connect(options), db::PgError);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
  EXPECT_EQ(process.primary.question(), asked);
}

}  // namespace
}  // namespace postern::test
