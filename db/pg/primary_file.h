// The file in which programs keep what they know of the primary, below their state folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace postern::db {

// 0: not known.
struct KnownPrimary {
  std::int64_t system = 0;    // pg_control_system().system_identifier
  std::int64_t timeline = 0;  // the highest that was seen
  std::int64_t accepted = 0;  // when an operator accepted it, in Unix seconds; 0: never

  bool operator==(const KnownPrimary&) const = default;
};

std::string primary_path(const std::string& folder);

// nullopt: there is none. Throws std::runtime_error for one that cannot be read, or is not of this
// format.
std::optional<KnownPrimary> read_primary(const std::string& folder);

// Replaces the file as a whole; it is on disk when this returns. It belongs to whoever owns the
// folder, so that root may write it for a program. Throws std::runtime_error.
void write_primary(const std::string& folder, const KnownPrimary& known);

}  // namespace postern::db
