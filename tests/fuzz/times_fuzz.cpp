#include "core/time/isoformat.h"
#include "core/time/time.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  if (const auto time = parse_rfc3339(text)) {
    // A year from 1970 to 9999, less an offset of a day at most.
    require(
        *time >= Time(std::chrono::hours(-24)) && *time < Time(std::chrono::hours(24 * 2'932'898)),
        "a time is in range");
    if (*time >= Time()) {
      require(parse_rfc3339(format_rfc3339(*time, TimeDigits::micros)) == *time,
              "it is written as it was read");
    }
  }
  if (const auto time = parse_isoformat(std::string(text))) {
    require(parse_isoformat(format_isoformat(*time)) == *time, "so is one of Python's");
  }
  return 0;
}
