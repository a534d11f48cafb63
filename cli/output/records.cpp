#include "cli/output/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

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

Table::Table(std::vector<std::string> headings, bool json)
    : headings_(std::move(headings)), json_(json) {
  for (const auto& heading : headings_) widths_.push_back(heading.size());
}

void Table::print(std::vector<std::vector<std::string>> rows) {
  if (json_) {
    for (const auto& row : rows) {
      JsonWriter out;
      out.begin_object();
      for (std::size_t i = 0; i < headings_.size(); ++i) write_cell(out, headings_[i], row[i]);
      out.end_object();
      fmt::print("{}{}", begun_ ? "," : "[", out.text());
      begun_ = true;
    }
    return;
  }
  for (auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = printable(row[i]);
      widths_[i] = std::max(widths_[i], row[i].size());
    }
  }
  if (!begun_) print_line(headings_);
  begun_ = true;
  for (const auto& row : rows) print_line(row);
}

void Table::end() {
  if (!begun_ && !json_) print_line(headings_);
  if (json_) fmt::print("{}]\n", begun_ ? "" : "[");
}

void Table::print_line(const std::vector<std::string>& row) const {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths_[i]);
  }
  fmt::print("{}\n", line);
}

void print_table(const std::vector<std::string>& headings,
                 std::vector<std::vector<std::string>> rows, bool json) {
  Table table(headings, json);
  table.print(std::move(rows));
  table.end();
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
