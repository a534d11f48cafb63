// What the end of an attempt says of its receiver. Pure.
#pragma once

#include "core/time/time.h"
#include "scheduler/http/client.h"

namespace postern::scheduler {

// What is judged of an attempt that has ended.
struct AttemptEnd {
  HttpResult::Kind kind = HttpResult::Kind::answered;
  int status = 0;              // 0 unless `answered`
  Milliseconds duration{0};    // how long it was under way
  Milliseconds retry_after{};  // what a 429 or 503 asked for; 0: nothing
};

enum class Health {
  well,        // it answered; whether it liked the task does not matter: 404 and 500 are answers
  failing,     // out of reach or broken, and says so quickly
  overloaded,  // the same, but slow to say so, or it asks for less
  unknown,     // the attempt never went as far as the receiver
};
Health health(const AttemptEnd& end);

}  // namespace postern::scheduler
