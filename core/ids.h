// A task's one identity and its spellings. The id is a UUIDv7 (RFC 9562) whose 12 `rand_a` bits
// hold the task's shard and whose first 10 `rand_b` bits the microseconds, so that tasks made one
// after the other are listed in that order; each dialect spells the same 128 bits its own way, and
// all of them can be read back without a table.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/time.h"

namespace postern {

struct TaskId {
  std::array<std::uint8_t, 16> bytes{};

  // The shard this task lives in, 0..4095.
  int shard() const;
  // When the id was made, by the maker's clock, to the millisecond.
  Time time() const;
  auto operator<=>(const TaskId&) const = default;
};

// Makes an id of `now`, to the microsecond. `random` supplies the low 52 bits of rand_b;
// REQUIRES: 0 <= shard < 4096.
TaskId make_task_id(Time now, int shard, std::span<const std::uint8_t, 8> random);

// The spellings: UUID text; TypeID 0.3 ("task_" + 26 of Crockford's base 32); KSUID (27 of base 62:
// 4-byte seconds since 1400000000, then the 16 bytes).
std::string to_uuid(const TaskId& id);
std::string to_typeid(const TaskId& id);
std::string to_ksuid(const TaskId& id);

// Reads any of the three spellings. nullopt when the text is none of them, is out of range (a
// TypeID whose first character is over 7, a KSUID over 160 bits or whose seconds are not the
// UUID's), or is a UUID of another version. UUIDs are read in either case.
std::optional<TaskId> parse_task_id(std::string_view text);

}  // namespace postern
