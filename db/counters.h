// The counters' names that more than one statement must agree on.
#pragma once

// The upper bounds, in milliseconds, of the buckets that durations and latenesses are counted in:
// "duration_0" counts what took at most the first, "duration_14" what took longer than the last.
// They are the Prometheus client libraries' defaults.
#define POSTERN_BUCKETS "ARRAY[5,10,25,50,75,100,250,500,750,1000,2500,5000,7500,10000]::float8[]"
