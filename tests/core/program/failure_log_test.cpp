// What the log says of tasks that failed for good, and how much of it.
#include "core/program/failure_log.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "core/program/log.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

constexpr FailureLog::Clock::time_point kStart{1h};

template <class Function>
std::string logged(Function work) {
  setenv("JOURNAL_STREAM", "8:1", 1);
  testing::internal::CaptureStderr();
  start_logging("info");
  work();
  return testing::internal::GetCapturedStderr();
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

FailedTask failed(std::string_view queue = "mail") {
  return {.id = {},
          .tenant = "acme",
          .queue = queue,
          .host = "hooks.example:8443",
          .attempts = 3,
          .reason = Reason::exhausted,
          .status = 503};
}

TEST(FailureLog, TellsEachTask) {
  FailureLog log;
  const std::string line =
      "<4>task failed task=" + to_typeid(TaskId{}) +
      " tenant=acme queue=mail host=hooks.example:8443 attempts=3 reason=exhausted status=503\n";
  EXPECT_EQ(logged([&] { log.add(failed(), kStart); }), line);
  FailedTask unsent = failed();
  unsent.host = {};
  unsent.status = {};
  EXPECT_NE(
      logged([&] { log.add(unsent, kStart); }).find(" host=- attempts=3 reason=exhausted status=-"),
      std::string::npos);
}

TEST(FailureLog, TellsANumberOfWhatIsBeyond) {
  FailureLog log;
  EXPECT_EQ(lines(logged([&] {
              for (int i = 0; i < 1000; ++i) log.add(failed(), kStart + i * 1ms);
            })),
            FailureLog::kLinesOfQueue);
  // Another queue has lines of its own.
  EXPECT_EQ(lines(logged([&] { log.add(failed("other"), kStart + 2s); })), 1u);
  EXPECT_EQ(logged([&] { log.turn(kStart + 9s); }), "");
  EXPECT_EQ(logged([&] { log.turn(kStart + 10s); }),
            "<4>tasks failed tenant=acme queue=mail more=980 seconds=10\n");
  EXPECT_EQ(logged([&] { log.turn(kStart + 20s); }), "");
  EXPECT_EQ(lines(logged([&] { log.add(failed(), kStart + 21s); })), 1u);
}

TEST(FailureLog, IsBoundedWithAnyNumberOfQueues) {
  FailureLog log;
  std::string text = logged([&] {
    for (int i = 0; i < 5000; ++i) log.add(failed("q" + std::to_string(i)), kStart);
  });
  EXPECT_EQ(lines(text), FailureLog::kLines);
  text = logged([&] { log.turn(kStart + 10s); });
  EXPECT_EQ(lines(text), FailureLog::kQueues - FailureLog::kLines + 1);
  EXPECT_NE(text.find("tasks failed tenant=* queue=* more=4000 seconds=10\n"), text.npos);
}

TEST(FailureLog, TellsWhatIsLeftAtTheEnd) {
  EXPECT_EQ(lines(logged([&] {
              FailureLog log;
              for (int i = 0; i < 30; ++i) log.add(failed(), kStart);
            })),
            FailureLog::kLinesOfQueue + 1);
}

}  // namespace
}  // namespace postern
