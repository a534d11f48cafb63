// Rows read by the names of their columns. A table of columns says what is selected and how it is
// read, so that a statement and its reader cannot disagree about an order.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/pg/connection.h"

namespace postern::db {

// One value of a result; reads as PgResult does.
class Value {
 public:
  Value(const PgResult& result, int row, int column)
      : result_(result), row_(row), column_(column) {}

  bool is_null() const { return result_.is_null(row_, column_); }
  std::string_view text() const { return result_.text(row_, column_); }
  std::int64_t integer() const { return result_.integer(row_, column_); }
  // Of an integer of any width; one that is out of int's range is a fault: std::runtime_error.
  int int4() const {
    const auto value = integer();
    if (!std::in_range<int>(value)) {
      throw std::runtime_error("a number is out of range: " + std::to_string(value));
    }
    return static_cast<int>(value);
  }
  bool boolean() const { return result_.boolean(row_, column_); }
  Time time() const { return result_.time(row_, column_); }
  Uuid uuid() const { return result_.uuid(row_, column_); }
  std::vector<std::string> text_array() const { return result_.text_array(row_, column_); }
  std::vector<Uuid> uuid_array() const { return result_.uuid_array(row_, column_); }
  std::optional<Time> time_or_null() const { return result_.time_or_null(row_, column_); }
  std::optional<std::int64_t> integer_or_null() const {
    return result_.integer_or_null(row_, column_);
  }
  std::optional<std::string> text_or_null() const {
    if (is_null()) return std::nullopt;
    return std::string(text());
  }

 private:
  const PgResult& result_;
  int row_;
  int column_;
};

// A column of what an Object is read from.
template <class Object>
struct Column {
  const char* name;
  void (*read)(Object&, const Value&);
  const char* sql = nullptr;  // what is selected under this name; nullptr: the column of this name
};

// What a statement selects for a table of columns.
template <class Columns>
std::string select_list(const Columns& columns) {
  std::string list;
  for (const auto& column : columns) {
    if (!list.empty()) list += ", ";
    if (column.sql != nullptr) list.append(column.sql).append(" AS ");
    list += column.name;
  }
  return list;
}

// Finds the columns of a table in a result, which outlives it. A column that is not there is a
// fault: std::runtime_error, which names it.
template <class Object>
class RowReader {
 public:
  RowReader(const PgResult& result, std::span<const Column<Object>> columns) : result_(result) {
    found_.reserve(columns.size());
    for (const auto& column : columns) {
      found_.emplace_back(column.read, result.column(column.name));
    }
  }

  // Reads the columns in the order of their table. Throws std::runtime_error when the row holds
  // what no program of ours writes.
  void read(int row, Object& object) const {
    for (const auto& [read_value, column] : found_) read_value(object, Value(result_, row, column));
  }
  // The same for a row that may be odd: reads what can be read, and returns what is wrong with the
  // first column that cannot; empty: nothing is.
  std::string read_what_can_be(int row, Object& object) const {
    std::string wrong;
    for (const auto& [read_value, column] : found_) {
      try {
        read_value(object, Value(result_, row, column));
      } catch (const std::exception& fault) {
        if (wrong.empty()) wrong = std::string(result_.name(column)) + ": " + fault.what();
      }
    }
    return wrong;
  }
  Object operator()(int row) const {
    Object object{};
    read(row, object);
    return object;
  }
  std::vector<Object> all() const {
    std::vector<Object> objects;
    objects.reserve(static_cast<std::size_t>(result_.rows()));
    for (int row = 0; row < result_.rows(); ++row) objects.push_back((*this)(row));
    return objects;
  }

 private:
  const PgResult& result_;
  std::vector<std::pair<void (*)(Object&, const Value&), int>> found_;
};

}  // namespace postern::db
