// Prints "begin end offset", in seconds, for each span of a zone from 1970 to 2100: what
// zones_test.py compares with Python's zones. Reads names from the input, one a line, and prints
// each before its spans.
#include <iostream>
#include <string>

#include "core/time/zones.h"

using namespace postern;
using namespace std::chrono_literals;

int main() {
  constexpr std::chrono::sys_seconds kBegin{0s};
  constexpr std::chrono::sys_seconds kEnd = std::chrono::sys_days{2101y / 1 / 1};
  for (std::string name; std::getline(std::cin, name);) {
    const auto zone = TimeZone::find(name);
    if (!zone) continue;
    std::cout << name << '\n';
    for (auto at = kBegin; at < kEnd;) {
      const TimeZone::Span span = zone->span_at(at);
      const auto until = std::min(span.end, kEnd);
      std::cout << at.time_since_epoch().count() << ' ' << until.time_since_epoch().count() << ' '
                << span.offset.count() << '\n';
      at = until;
    }
  }
}
