// What an attempt's end means for its task. The one place that decides whether a task is over, is
// tried again and when, or goes back; pure, so that the same attempt and random number give the
// same end.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "db/engine/claim.h"
#include "db/engine/settle.h"
#include "scheduler/http/client.h"

namespace postern::scheduler {

// After a transfer. `now` is for a Retry-After that holds a date; `random` is uniform in [0, 1).
// Success is a status from 200 up to what the dialect's traits say, so that it may include
// redirects that were not followed. A dialect's headers for a failure or the end (WebhookForm) hold
// whatever the status. 202 with Postern-Defer: the attempt goes on without us, and so does one
// whose task waits for a signal.
db::Settlement outcome(const db::Claimed& task, const HttpResult& result, Time now, double random);

// The least delay that a 429 or 503 asked for by Retry-After, 24 h at most; 0 if it did not.
Milliseconds asked_delay(const HttpResult& result, Time now);

// No request could be made of the task. What is wrong with the task itself (invalid_argument) ends
// it; a missing endpoint is a failed attempt, since it may be there next time.
db::Settlement not_sent(const db::Claimed& task, const Error& why, double random);

// Its scheduler died: nobody knows whether the receiver was called.
db::Settlement lost(const db::Claimed& task, double random);

// The receiver of a deferred attempt kept silent, or nobody gave the signal.
db::Settlement deferral_over(const db::Claimed& task, double random);

// Its row cannot be read: over, without this attempt.
db::Settlement set_aside(const db::Claimed& task);

// Its latest start has passed: over, without this attempt.
db::Settlement past_deadline(const db::Claimed& task);

// Ready again as if it had not been claimed. REQUIRES: the receiver was not called, or the call was
// cut off by ourselves.
db::Settlement given_back(const db::Claimed& task);

// The headers of an answer that decide here, in lower case.
std::vector<std::string> headers_read();

// Whether no further attempt is permitted after this one.
bool is_last_attempt(const db::Claimed& task);

}  // namespace postern::scheduler
