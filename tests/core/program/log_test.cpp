#include "core/program/log.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "core/time/time.h"

namespace postern {
namespace {

// The standard error output of `log`, with or without systemd's journal.
template <class Function>
std::string logged(const char* level, bool in_journal, Function log) {
  if (in_journal) {
    setenv("JOURNAL_STREAM", "8:1", 1);
  } else {
    unsetenv("JOURNAL_STREAM");
  }
  testing::internal::CaptureStderr();
  start_logging(level);
  log();
  return testing::internal::GetCapturedStderr();
}

void one_of_each() {
  log::debug("d");
  log::info("task=1 tries={}", 2);
  log::warn("w");
  log::error("e");
}

TEST(Log, WritesTheJournalsPriorities) {
  EXPECT_EQ(logged("debug", true, one_of_each), "<7>d\n<6>task=1 tries=2\n<4>w\n<3>e\n");
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  EXPECT_EQ(logged("info", true, one_of_each), "<6>task=1 tries=2\n<4>w\n<3>e\n");
  EXPECT_EQ(logged("warning", true, one_of_each), "<4>w\n<3>e\n");
  EXPECT_EQ(logged("error", true, one_of_each), "<3>e\n");
}

TEST(Log, AddsTheTimeOutsideTheJournal) {
  const std::string text = logged("info", false, [] { log::info("hello"); });
  EXPECT_EQ(text.substr(0, 3), "<6>");
  EXPECT_TRUE(parse_rfc3339(text.substr(3, 24))) << text;
  EXPECT_EQ(text.substr(27), " hello\n");
}

TEST(Log, KeepsAMessageOnOneLine) {
  EXPECT_EQ(logged("info", true, [] { log::error("connection lost\n<3>forged\x1b[0m\n"); }),
            "<3>connection lost\\n<3>forged\\x1b[0m\n");
}

TEST(LogSafe, EscapesAndCutsValuesFromOutside) {
  EXPECT_EQ(log_safe("plain caf\xc3\xa9"), "plain caf\xc3\xa9");
  EXPECT_EQ(log_safe(std::string_view("a\r\nb\t\0\x7f", 7)), "a\\x0d\\nb\\x09\\x00\\x7f");
  EXPECT_EQ(log_safe("\"a\" b\""), "\\\"a\\\" b\\\"");
  EXPECT_EQ(log_safe("a\\\" task=b \\"), "a\\\\\\\" task=b \\\\");
  EXPECT_EQ(log_safe("abc", 2), "ab...");
  EXPECT_EQ(log_safe(std::string(200, 'x')), std::string(200, 'x'));
  EXPECT_EQ(log_safe(std::string(201, 'x')), std::string(200, 'x') + "...");
}

}  // namespace
}  // namespace postern
