#include "cli/output/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli/command/printable.h"
#include "core/base/json_writer.h"

namespace postern::admin {
namespace {

std::string json_key(std::string heading) {
  for (auto& c : heading) c = c == ' ' ? '_' : static_cast<char>(std::tolower(c));
  return heading;
}

void write_cell(JsonWriter& out, const std::string& heading, const std::string& cell) {
  out.key(json_key(heading));
  cell.empty() ? out.null() : out.string(cell);
}

}  // namespace

void print_table(const std::vector<std::string>& headings,
                 std::vector<std::vector<std::string>> rows, bool json) {
  if (json) {
    JsonWriter out;
    out.begin_array();
    for (const auto& row : rows) {
      out.begin_object();
      for (std::size_t i = 0; i < headings.size(); ++i) write_cell(out, headings[i], row[i]);
      out.end_object();
    }
    out.end_array();
    fmt::print("{}\n", out.text());
    return;
  }
  for (auto& row : rows) {
    for (auto& cell : row) cell = printable(cell);
  }
  std::vector<std::size_t> widths;
  for (const auto& heading : headings) widths.push_back(heading.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    fmt::print("{}\n", line);
  };
  print_row(headings);
  for (const auto& row : rows) print_row(row);
}

void print_record(const std::vector<RecordField>& fields, bool json) {
  if (json) {
    JsonWriter out;
    out.begin_object();
    for (const auto& [heading, text, bare] : fields) {
      bare ? void(out.key(json_key(heading)).raw(text)) : write_cell(out, heading, text);
    }
    out.end_object();
    fmt::print("{}\n", out.text());
    return;
  }
  for (const auto& [heading, text, bare] : fields) fmt::print("{}: {}\n", heading, printable(text));
}

std::string show(const std::optional<Time>& time) { return time ? format_rfc3339(*time) : ""; }

}  // namespace postern::admin
