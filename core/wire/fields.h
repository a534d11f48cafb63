// How an object is described on the native wire: a table of its fields, in the order in which they
// are written. The API writes its answers from these tables, and the operator's command prints from
// them, so a field has one name and one unit everywhere.
#pragma once

#include <span>
#include <string_view>
#include <type_traits>

#include "core/base/json_writer.h"

namespace postern::wire {

// What a field's number counts. The wire carries the bare number; only people are shown the unit.
enum class Unit {
  none,
  limit,  // -1: no limit
  milliseconds,
  seconds,
  nanoseconds,
};

template <class T>
struct Field {
  std::string_view name;
  // Writes the value, without its name.
  void (*write)(JsonWriter& out, const T& object);
  // Whether the field is written at all; nullptr: it always is.
  bool (*present)(const T& object) = nullptr;
  Unit unit = Unit::none;

  bool is_in(const T& object) const { return present == nullptr || present(object); }
};

// A table has static storage, so that a view of it stays valid.
template <class T>
using Fields = std::span<const Field<T>>;

// The members that `object` has, into a JSON object that is open.
template <class T>
void write_members(JsonWriter& out, std::type_identity_t<Fields<T>> fields, const T& object) {
  for (const auto& field : fields) {
    if (!field.is_in(object)) continue;
    out.key(field.name);
    field.write(out, object);
  }
}

template <class T>
void write_object(JsonWriter& out, std::type_identity_t<Fields<T>> fields, const T& object) {
  out.begin_object();
  write_members(out, fields, object);
  out.end_object();
}

}  // namespace postern::wire
