// The main function of the test programs: what a failed test prints is not to be looked for among
// hundreds of lines about connections that were made. A filter that fits no test is a mistake.
#include <cstdio>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  spdlog::set_level(spdlog::level::warn);
  const int failed = RUN_ALL_TESTS();
  if (failed == 0 && testing::UnitTest::GetInstance()->test_to_run_count() == 0) {
    std::fputs("no test was run: none has a name that the filter fits\n", stderr);
    return 1;
  }
  return failed;
}
