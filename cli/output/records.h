// What `postern` prints of what it finds in the database: a table for people, or JSON for programs.
// Objects of the API are printed by show.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/time/time.h"

namespace postern::admin {

// Rows under headings, columns as wide as they need to be. With `json`: an array of objects whose
// keys are the headings in lower case with underscores, empty cells as null.
void print_table(const std::vector<std::string>& headings,
                 std::vector<std::vector<std::string>> rows, bool json);

// The same for more rows than are to be held at once: printed as they come, columns as wide as the
// rows so far need. JSON is whole once end() was called; without that a reader notices that it is
// not.
class Table {
 public:
  Table(std::vector<std::string> headings, bool json);
  void print(std::vector<std::vector<std::string>> rows);
  void end();

 private:
  void print_line(const std::vector<std::string>& row) const;

  const std::vector<std::string> headings_;
  const bool json_;
  bool begun_ = false;
  std::vector<std::size_t> widths_;
};

// A field of a record. `bare`: its text is JSON, a number or a boolean.
struct RecordField {
  std::string heading, text;
  bool bare = false;
};
// One record: as "heading: value" lines, or one JSON object.
void print_record(const std::vector<RecordField>& fields, bool json);

std::string show(const std::optional<Time>& time);

}  // namespace postern::admin
