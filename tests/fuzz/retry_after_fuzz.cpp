#include "core/model/retry_policy.h"
#include "tests/fuzz/fuzz.h"

using namespace postern;
using namespace std::chrono_literals;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const Time now{std::chrono::sys_days{std::chrono::year{2026} / 10 / 21}};
  if (const auto delay = parse_retry_after(text, now)) {
    require(*delay >= 0s && *delay <= 24h, "a receiver asks for a day at most");
  }
  if (const auto policy = RetryPolicy::parse(text)) {
    const auto again = RetryPolicy::parse(policy->text());
    require(again && again->text() == policy->text(), "a policy is stored as it is");
    for (const int failed : {1, 2, 100, 2'147'483'647}) {
      for (const double random : {0.0, 0.999999}) {
        const auto delay = policy->delay_after(failed, random);
        require(!delay || (*delay >= 0ms && *delay <= 24h * 365 * 100), "a delay is in range");
        require(delay == again->delay_after(failed, random), "and the same when read back");
      }
    }
  }
  return 0;
}
