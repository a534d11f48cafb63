// A table in as many columns as there are: what does not fit is cut, or left out, by rank.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output/show.h"

namespace postern::admin {

// How wide lines may be: the terminal's width, or 80 where the output is none.
std::size_t output_width();
// How many lines a terminal shows; 40 where the output is none.
std::size_t output_height();
// Standard output is a terminal that shows colours, and NO_COLOR is not set.
bool wants_colour();

class Table {
 public:
  explicit Table(std::span<const Column> columns) : columns_(columns.begin(), columns.end()) {}

  // As many cells as columns, without control characters.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // The lines, with the headings first. Columns that are empty in all rows are left out.
  std::vector<std::string> lines(std::size_t width) const;
  void print(std::size_t width) const;

 private:
  std::vector<std::size_t> fitted(std::size_t width) const;

  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace postern::admin
