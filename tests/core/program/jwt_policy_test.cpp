// Where the secrets of JSON Web Tokens come from.
#include "core/program/jwt_policy.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace postern {
namespace {

// A folder of credentials as systemd makes one, and no secret in the environment.
class JwtSecrets : public testing::Test {
 protected:
  void SetUp() override {
    mkdir(folder_.c_str(), 0700);
    setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
    unsetenv("POSTERN_JWT_SECRET");
    unsetenv("TASKMQ_JWT_SECRET");
  }
  void TearDown() override {
    for (const auto& file : files_) unlink(file.c_str());
    rmdir(folder_.c_str());
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("TASKMQ_JWT_SECRET");
  }

  std::string write(const std::string& name, const std::string& text) {
    files_.push_back(folder_ + "/" + name);
    std::ofstream(files_.back()) << text;
    return files_.back();
  }

  const std::string folder_ =
      testing::TempDir() + "postern_credentials_" + std::to_string(getpid());
  std::vector<std::string> files_;
};

const std::string kOne(40, 'a'), kTwo(40, 'b'), kThree(40, 'c');

TEST_F(JwtSecrets, ComeFromTheUnitsCredential) {
  EXPECT_TRUE(read_jwt_policy({}).keys.secrets.empty());
  write("jwt-secrets", kOne + "\n" + kTwo + "\n");
  EXPECT_EQ(read_jwt_policy({}).keys.secrets, (std::vector{kOne, kTwo}));
}

TEST_F(JwtSecrets, OfTheEnvironmentComeFirst) {
  write("jwt-secrets", kOne);
  setenv("TASKMQ_JWT_SECRET", kThree.c_str(), 1);
  EXPECT_EQ(read_jwt_policy({}).keys.secrets, (std::vector{kThree, kOne}));
}

TEST_F(JwtSecrets, OfANamedFileTakeTheCredentialsPlace) {
  write("jwt-secrets", kOne);
  Settings settings;
  settings.jwt_secret_file = write("others", kTwo);
  EXPECT_EQ(read_jwt_policy(settings).keys.secrets, std::vector{kTwo});
}

TEST_F(JwtSecrets, ThatAreWrongInTheCredentialNameIt) {
  for (const char* text : {"short", ""}) {
    const std::string file = write("jwt-secrets", text);
    try {
      read_jwt_policy({});
      ADD_FAILURE() << text;
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find(file), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace postern
