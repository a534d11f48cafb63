// What `postern` prints of what it finds in the database: a table for people, or JSON for programs.
// Objects of the API are printed by show.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/time/time.h"

namespace postern::admin {

// Rows under headings, columns as wide as they need to be. With `json`: an array of objects whose
// keys are the headings in lower case with underscores, empty cells as null.
void print_table(const std::vector<std::string>& headings,
                 std::vector<std::vector<std::string>> rows, bool json);

// A field of a record. `bare`: its text is JSON, a number or a boolean.
struct RecordField {
  std::string heading, text;
  bool bare = false;
};
// One record: as "heading: value" lines, or one JSON object.
void print_record(const std::vector<RecordField>& fields, bool json);

std::string show(const std::optional<Time>& time);

}  // namespace postern::admin
