#include "core/program/file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace postern {
namespace {

TEST(FileContent, IsAllThatTheFileHolds) {
  const auto path =
      std::filesystem::path(::testing::TempDir()) / fmt::format("file_content_test-{}", getpid());
  for (const std::string& text : {std::string(), std::string("a\0\r\n", 4), std::string(8192, 'x'),
                                  std::string(20'000, 'y')}) {
    std::ofstream(path, std::ios::binary) << text;
    EXPECT_EQ(file_content(path), text);
  }
  std::filesystem::remove(path);
}

TEST(FileContent, IsNothingWhereNothingCanBeRead) {
  EXPECT_EQ(file_content(""), std::nullopt);
  EXPECT_EQ(file_content("/nonesuch"), std::nullopt);
  EXPECT_EQ(file_content("/proc"), std::nullopt);           // a folder is opened, and not read
  EXPECT_EQ(file_content("/proc/self/mem"), std::nullopt);  // nor is what is no memory of a process
}

}  // namespace
}  // namespace postern
