#include "core/time/zone_rule.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using fuzz::require;

// The last line of a zone file.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto rule = ZoneRule::parse(fuzz::text_of(data, size));
  if (!rule) return 0;
  for (int year = -32'767; year <= 32'767; year += 1'111) {
    std::chrono::sys_seconds at = std::chrono::sys_days{std::chrono::year{year} / 1 / 1};
    for (int i = 0; i < 5; ++i) {
      const ZoneSpan span = rule->span_at(at);
      require(span.begin <= at && at < span.end, "a span holds its time");
      require(abs(span.offset) < std::chrono::days{1}, "an offset is less than a day");
      const ZoneSpan begin = rule->span_at(span.begin);
      require(begin.end == span.end && begin.offset == span.offset, "a span is one");
      if (span.end == std::chrono::sys_seconds::max()) break;
      at = span.end;
    }
  }
  return 0;
}
