// An object as `postern` prints it. Its fields are described in core/wire, as for the API: with
// --json the command prints what the API answers, and a table for people takes its columns from the
// same fields by their names.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/wire/fields.h"

namespace postern::admin {

struct Value {
  std::string name;
  std::string json;
  wire::Unit unit = wire::Unit::none;
  std::string shown;  // to people instead; empty: what the JSON says
};

class Record {
 public:
  // The fields that `object` has, but for those that are there already.
  template <class T>
  Record& add(std::type_identity_t<wire::Fields<T>> fields, const T& object) {
    for (const auto& field : fields) {
      if (!field.is_in(object)) continue;
      JsonWriter value;
      field.write(value, object);
      add(field.name, value.take(), field.unit);
    }
    return *this;
  }
  // A field that is an object itself.
  template <class T>
  Record& add(std::string_view name, std::type_identity_t<wire::Fields<T>> fields,
              const T& object) {
    JsonWriter value;
    wire::write_object(value, fields, object);
    return add(name, value.take());
  }
  Record& add(std::string_view name, std::string json, wire::Unit unit = wire::Unit::none);
  Record& add_text(std::string_view name, std::string_view text);
  // What people are shown of a field instead of its value. REQUIRES: the field is there.
  Record& show(std::string_view name, std::string_view shown);

  // As one JSON object.
  void write(JsonWriter& out) const;
  // What people are shown of a field; of a field of an object by "totals.failed". Empty when there
  // is no such field.
  std::string cell(std::string_view name) const;

  const std::vector<Value>& values() const { return values_; }

 private:
  const Value* find(std::string_view name) const;
  std::vector<Value> values_;
};

// A value for people: a string without its quotes, yes and no, a number with its unit. Nothing in
// it can steer a terminal.
std::string shown_value(const Value& value);

// As one JSON object, or as "name: value" lines.
void print(const Record& record, bool json);
// As a JSON array of whole objects, or as a table of the fields `columns`.
void print(const std::vector<Record>& records, std::span<const std::string_view> columns,
           bool json);

}  // namespace postern::admin
