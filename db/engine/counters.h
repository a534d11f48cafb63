// The counters' names that more than one statement must agree on.
#pragma once

// The upper bounds, in milliseconds, of the buckets that durations and latenesses are counted in:
// "duration_0" counts what took at most the first, "duration_14" what took longer than the last.
// They are the Prometheus client libraries' defaults. These, and the sums "duration_ms" and
// "lateness_ms", are kept for all queues together, under an empty tenant and queue: with a set for
// each queue a settle of 64 tasks took 12 % (one queue) to 35 % (16 queues) more of the server's
// CPU time, so it takes 10 %.
#define POSTERN_BUCKETS "ARRAY[5,10,25,50,75,100,250,500,750,1000,2500,5000,7500,10000]::float8[]"
