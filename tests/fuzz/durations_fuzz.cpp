#include <fmt/format.h>

#include "core/time/go_duration.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto duration = parse_go_duration(fuzz::text_of(data, size));
  if (!duration) return 0;
  require(parse_go_duration(fmt::format("{}ns", duration->count())) == duration,
          "a number of nanoseconds is the same duration");
  return 0;
}
