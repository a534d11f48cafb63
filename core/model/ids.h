// Task ids and their spellings. An id is a UUIDv7 (RFC 9562) whose 12 `rand_a` bits begin with the
// microseconds (method 3 of section 6.2), so that ids sort in the order of their creation. Each
// dialect spells the same 128 bits in its own way; every spelling can be read back without a table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/uuid.h"
#include "core/time/time.h"

namespace postern {

using TaskId = Uuid;

// When the id was made, to the millisecond, by the clock of the process that made it.
Time made_at(const TaskId& id);

// Makes an id of `now`, to the microsecond, with 64 bits from `random`: the first two go into the
// end of rand_a, the other 62 into rand_b. REQUIRES: `now` is not before 1970.
TaskId make_task_id(Time now, std::span<const std::uint8_t, 8> random);

// The spellings besides to_uuid: TypeID 0.3 ("task_" + 26 of Crockford's base 32); KSUID (27 of
// base 62: 4-byte seconds since 1400000000, then the 16 bytes).
std::string to_typeid(const TaskId& id);
std::string to_ksuid(const TaskId& id);

// Reads any of the three spellings. nullopt when the text is none of them, is out of range (a
// TypeID whose first character is over 7, a KSUID over 160 bits or whose seconds are not the
// UUID's), or is a UUID of another version. UUIDs are read in either case.
std::optional<TaskId> parse_task_id(std::string_view text);

}  // namespace postern
