// What happened minute by minute, for series: what a scheduler notes once a minute. Statements for
// a Channel.
#pragma once

#include "db/pg/connection.h"

namespace postern::db {

// Makes the rows of queue_minute of the last whole minute from the counters, those of about `most`
// counters at a time; nothing when they are there, or while another scheduler is at it. The place
// lies in the database (postern.count_minute).
extern const Statement kCountMinute;
Params count_minute_params(int most);
// Whether there are more counters to look at. An empty answer: there are none.
bool minute_goes_on(const PgResult& result);

// Forgets up to `most` rows that are older than three hours.
extern const Statement kExpireMinutes;
Params expire_minutes_params(int most);

}  // namespace postern::db
