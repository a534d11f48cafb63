#include "fcgi/server/listener.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace postern {
namespace {

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() { std::filesystem::create_directories(folder_); }
  ~ListenerTest() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() /
                                        ("postern-listener-test-" + std::to_string(getpid()));
  const std::string path_ = folder_ / "fcgi.sock";
};

TEST_F(ListenerTest, ListensWithTheRightMode) {
  const Listener listener = open_listener("unix:" + path_);
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0660u);
  EXPECT_TRUE(listener.ours);
}

TEST_F(ListenerTest, ReplacesAStaleSocketAndNothingElse) {
  { const Listener stale = open_listener("unix:" + path_); }
  const Listener live = open_listener("unix:" + path_);
  EXPECT_THROW(open_listener("unix:" + path_), std::runtime_error);
  const std::string file = folder_ / "file";
  fclose(fopen(file.c_str(), "w"));
  EXPECT_THROW(open_listener("unix:" + file), std::runtime_error);
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_THROW(open_listener("unix:" + path_ + "/below"), std::runtime_error);
}

TEST_F(ListenerTest, ListensOnLoopback) {
  const Listener v4 = open_listener("127.0.0.1:0");
  EXPECT_TRUE(v4.fd);
  EXPECT_THROW(open_listener("203.0.113.1:1"), std::runtime_error);
}

}  // namespace
}  // namespace postern
