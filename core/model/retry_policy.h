// Retry policies: the delay between a failed attempt and the next one. Pure: the same attempt and
// random number give the same delay. SQL only stores the result; it never computes a back-off.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/time/time.h"

namespace postern {

// A policy is text in the task's row: a name, or the compact JSON of an inline one. Names:
//   exponential   1, 2, 4, 8 .. s, exact                       (AsyncQueue; at most 2^20 s)
//   linear        1, 2, 3 .. s, exact                          (AsyncQueue)
//   fixed         1 s, exact                                   (AsyncQueue generation B)
//   none          no retry at all, whatever max_attempts says
//   standard      5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, +-20 %   (Standard Webhooks)
//   default, 10m  60 s in 50 steps towards 10 m, jitter 0.9    (asyncjobs)
//   1h            10 m in 20 steps towards 1 h, jitter 0.9     (asyncjobs)
//   1m            1 s in 20 steps towards 1 m, jitter 0.5      (asyncjobs)
//   taskmq-fixed        2 s, exact          (TaskMQ's `fixed`)
//   taskmq-exponential  2, 4, 8 .. s, exact (TaskMQ's `exponential`)
// asyncjobs's tables delay by d*jitter + uniform[0,d), and their first retry takes the second
// interval, as that project does. The last interval repeats.
//
// Inline: {"intervals":[seconds, ..], "jitter":x}: 1..100 intervals of 0..2592000 s, rounded to the
// millisecond; jitter 0..1 (0 when absent): the delay is uniform in d*(1-x) .. d*(1+x).
class RetryPolicy {
 public:
  // Reads a name or inline JSON. Error: invalid_argument, "unknown_retry_policy" or
  // "retry_policy_invalid", field `field`.
  static Result<RetryPolicy> parse(std::string_view text, std::string_view field = "retry_policy");

  // The delay before the next attempt, after `failed` attempts of the present budget (1 or more).
  // `random` is uniform in [0, 1). nullopt: this policy never retries.
  std::optional<Milliseconds> delay_after(int failed, double random) const;

  // The text this policy is stored as; parse(text()) gives the same policy.
  const std::string& text() const { return text_; }

  struct Named {
    std::string_view name;
    std::vector<Milliseconds> intervals;
    double jitter;
  };
  // asyncjobs's four tables, sorted by name, which its GET /v1/retry-policies serves.
  static std::vector<Named> tables();
  // All named policies, sorted by name. A formula is listed as the delays it gives: `exponential`
  // until they stop growing, `linear` the 100 that a task can ask for; the last one repeats. `none`
  // has no intervals.
  static std::vector<Named> named();

 private:
  enum class Kind { exponential, linear, table_asyncjobs, table_symmetric, none };
  Kind kind_ = Kind::none;
  std::vector<Milliseconds> intervals_;  // exponential and linear: the first step alone
  double jitter_ = 0;
  std::string text_;
};

// The delay an HTTP Retry-After header asks for (RFC 9110 10.2.3: seconds, or an HTTP date),
// clamped to 0..24 h; nullopt for anything else. `now` is only used for dates.
std::optional<Seconds> parse_retry_after(std::string_view value, Time now);

}  // namespace postern
