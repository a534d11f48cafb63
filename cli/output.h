// What `postern` prints: a table for people, or JSON for programs. Objects that the API has too are
// printed by record.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/time/time.h"

namespace postern::admin {

// Rows under headings, columns as wide as they need to be. With `json`: an array of objects whose
// keys are the headings in lower case with underscores, empty cells as null.
void print_table(const std::vector<std::string>& headings,
                 const std::vector<std::vector<std::string>>& rows, bool json);

// One record: as "heading: value" lines, or one JSON object.
void print_record(const std::vector<std::pair<std::string, std::string>>& fields, bool json);

std::string show(const std::optional<Time>& time);

// The value; an error ends the command with its sentence.
template <class T>
T require(Result<T> result, bool json);

// Ends the command with one sentence on stderr (as {"error":..} on stdout too, with `json`). Exit
// code 1.
[[noreturn]] void fail(const std::string& sentence, bool json);

template <class T>
T require(Result<T> result, bool json) {
  if (!result) fail(result.error().message, json);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace postern::admin
