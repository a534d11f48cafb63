// Where the password for PostgreSQL is found, and which files are refused.
#include "core/program/database_password.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace postern {
namespace {

class DatabasePassword : public ::testing::Test {
 protected:
  DatabasePassword() {
    std::string pattern = testing::TempDir() + "postern_password_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    unsetenv("CREDENTIALS_DIRECTORY");
  }
  ~DatabasePassword() override {
    unsetenv("CREDENTIALS_DIRECTORY");
    std::filesystem::remove_all(folder_);
  }

  std::string file(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string read(const std::string& role = "postern_api") {
    return read_database_password(settings_, Program::fcgi, role);
  }
  std::string refusal() {
    try {
      return "taken: " + read();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }

  std::string folder_;
  Settings settings_;
};

TEST_F(DatabasePassword, ThereNeedBeNone) { EXPECT_EQ(read(), ""); }

TEST_F(DatabasePassword, IsTheCredentialUnlessTheSettingNamesAFile) {
  setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  EXPECT_EQ(read(), "");
  file("database-password.postern_api", "of the role");
  EXPECT_EQ(read(), "of the role");
  EXPECT_EQ(read("postern_scheduler"), "");
  file("database-password", "of the unit\n");
  EXPECT_EQ(read(), "of the unit");
  settings_.database_password_file = file("mine", "with space and # \nsecond line");
  EXPECT_EQ(read(), "with space and # ");
}

TEST_F(DatabasePassword, OfAFileThatIsNoneIsRefusedByItsName) {
  settings_.database_password_file = folder_ + "/absent";
  EXPECT_NE(refusal().find("cannot read " + folder_ + "/absent"), std::string::npos) << refusal();
  settings_.database_password_file = folder_;
  EXPECT_NE(refusal().find("cannot read"), std::string::npos) << refusal();
  settings_.database_password_file = file("empty", "\n");
  EXPECT_NE(refusal().find("has no password in it"), std::string::npos) << refusal();
}

TEST_F(DatabasePassword, ThatOthersCanReadIsRefused) {
  for (const mode_t mode : {0604, 0602, 0644, 0777}) {
    settings_.database_password_file = file("open", "secret of mine", mode);
    EXPECT_NE(refusal().find("chmod o= " + folder_ + "/open"), std::string::npos) << refusal();
    EXPECT_EQ(refusal().find("secret of mine"), std::string::npos);
  }
  // systemd's credentials have the group's bit, for their access control list.
  settings_.database_password_file = file("group", "x", 0640);
  EXPECT_EQ(read(), "x");
}

}  // namespace
}  // namespace postern
