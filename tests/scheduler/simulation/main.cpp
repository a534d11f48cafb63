// Runs seeds of the simulation. simulation [--from N] [--count N] [--seed N] [--jobs N]:
// --seed runs that one alone and prints each event. Fails with the seeds that broke a rule.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

#include "core/program/log.h"
#include "tests/scheduler/simulation/run.h"

namespace {

using postern::simulation::Run;

constexpr int kMostShown = 5;
// So many seeds one is run twice, to see that a run depends on nothing but its seed.
constexpr std::uint64_t kRepeatEvery = 100;

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  const char* end = text + std::strlen(text);
  if (std::from_chars(text, end, value).ptr != end) {
    std::fprintf(stderr, "simulation: %s is not a number\n", text);
    std::exit(2);
  }
  return value;
}

struct Total {
  std::uint64_t seeds = 0, tasks = 0, sends = 0, repeated = 0, seconds = 0;
};

bool passes(std::uint64_t seed, bool trace, Total& total) {
  Run run(seed);
  if (trace) run.trace();
  bool passed = run.passes();
  std::string why = run.violation();
  if (passed && seed % kRepeatEvery == 0) {
    Run again(seed);
    again.passes();
    passed = again.hash() == run.hash();
    why = "the same seed took another course";
  }
  const auto summary = run.summary();
  ++total.seeds;
  total.tasks += summary.tasks;
  total.sends += summary.sends;
  total.repeated += summary.repeated;
  total.seconds += static_cast<std::uint64_t>(summary.lasted.count() / 1'000'000);
  if (passed) return true;
  if (!trace) std::printf("%s", run.last_events().c_str());
  std::printf("seed %llu: %s\nrepeat it with: simulation --seed %llu\n",
              static_cast<unsigned long long>(seed), why.c_str(),
              static_cast<unsigned long long>(seed));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t from = 0, count = 1'000;
  bool trace = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const auto value = number(argv[i + 1]);
    if (option == "--from") from = value;
    if (option == "--count") count = value;
    if (option == "--seed") {
      from = value;
      count = 1;
      trace = true;
    }
  }
  postern::start_logging("critical");  // faults are what it is about
  Total total;
  int failed = 0;
  for (std::uint64_t seed = from; seed < from + count && failed < kMostShown; ++seed) {
    if (!passes(seed, trace, total)) ++failed;
  }
  std::printf(
      "%llu seeds, %llu tasks, %llu attempts, %llu of them repeated one; %llu s simulated\n",
      static_cast<unsigned long long>(total.seeds), static_cast<unsigned long long>(total.tasks),
      static_cast<unsigned long long>(total.sends), static_cast<unsigned long long>(total.repeated),
      static_cast<unsigned long long>(total.seconds));
  return failed == 0 ? 0 : 1;
}
