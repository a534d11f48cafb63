#include "core/base/crash_point.h"

#ifdef POSTERN_CRASH_POINTS

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <mutex>
#include <set>
#include <string>

namespace postern {
namespace {

constexpr int kKilled = 137;

// What POSTERN_CRASH_AT says, read once.
struct Wanted {
  std::string point;
  int times = 1;
};

Wanted wanted_of(const char* text) {
  if (text == nullptr) return {};
  std::string point = text;
  const auto colon = point.find(':');
  if (colon == std::string::npos) return {std::move(point)};
  return {point.substr(0, colon), std::atoi(point.c_str() + colon + 1)};
}

}  // namespace

void crash_point(std::string_view subject, std::string_view moment) {
  static const Wanted wanted = wanted_of(std::getenv("POSTERN_CRASH_AT"));
  if (wanted.point.empty()) return;
  std::string point(subject.substr(0, subject.find(' ')));
  point.append(".").append(moment);

  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (wanted.point == "list") {
    static std::set<std::string> told;
    if (told.insert(point).second) std::cerr << "crash_point " << point << std::endl;
    return;
  }
  static int reached = 0;
  if (point == wanted.point && ++reached == wanted.times) _exit(kKilled);
}

}  // namespace postern

#endif
