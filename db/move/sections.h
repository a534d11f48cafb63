// What is copied in chunks while all runs, a section after the other: the finished tasks of a day,
// live tasks, idempotency keys, runs of schedules, the minutes of series.
#pragma once

#include <string>
#include <vector>

#include "db/move/ends.h"

namespace postern::db {

// A column of the order in which a section is read, by an index of its table.
struct SectionKey {
  std::string order;   // "uuid_send(id)"
  std::string shown;   // "id::text": how a place says it
  std::string before;  // what makes it of that text again: "uuid_send(" and "::uuid)"
  std::string behind;
};

struct Section {
  std::vector<std::string> name;  // for the place; sections are in its order
  std::string table;
  std::string where;  // the rows of the tenant
  std::vector<SectionKey> keys;
  std::string width;      // of a row, in bytes, about
  std::string hash;       // of what tells two versions of a row apart; empty: it is not compared
  std::string retention;  // of finished tasks, and the day: a partition
  std::string day;
};

// All sections that the source has rows for now. `minutes_before`: those of series are copied up to
// there, as the rest goes on changing.
std::vector<Section> sections(Ends& ends, const std::string& minutes_before);

// "WHERE" and what follows, for the rows behind `from` (empty: from the first) up to `to` (empty:
// all).
std::string rows_between(const Section& section, const std::vector<std::string>& from,
                         const std::vector<std::string>& to);

// Makes the partition of the day at the target for the transaction that is under way there, and
// keeps it from being dropped. Throws MoveRefused when it is locked for long, or as limit() does.
void hold_day(Ends& ends, const std::string& retention, const std::string& day);

}  // namespace postern::db
