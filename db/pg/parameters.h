// The parameters of one statement, in PostgreSQL's binary format: no quoting, no escaping of bytea,
// and the arrays of a whole batch without building text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/time/time.h"

namespace postern::db {

// The object ids of the parameter types, from PostgreSQL's pg_type.dat; they never change.
enum class Oid : std::uint32_t {
  boolean = 16,
  bytea = 17,
  int8 = 20,
  int2 = 21,
  int4 = 23,
  text = 25,
  json = 114,
  float8 = 701,
  timestamptz = 1184,
  uuid = 2950,
};
// As SQL spells the type.
std::string_view type_name(Oid type);

// An array parameter under construction, one element after the other.
class Array {
 public:
  // `expected`: about how many elements there will be.
  explicit Array(Oid element, std::size_t expected = 0);
  void null();
  void text(std::string_view value);  // also for bytea and json
  void text_or_null(std::string_view value) { value.empty() ? null() : text(value); }
  void int8(std::int64_t value);
  void int4(std::int32_t value);
  void int2(std::int16_t value);
  void float8(double value);
  void boolean(bool value);
  void uuid(const Uuid& value);
  void time(Time value);
  std::size_t size() const { return count_; }

 private:
  friend class Params;
  void element(std::string_view bytes);
  template <class T>
  void number(T value);
  template <class T>
  void fixed(T value);
  Oid element_;
  std::int32_t count_ = 0;
  bool has_null_ = false;
  std::string bytes_;  // begins with room for the header, which Params writes
};

class Params {
 public:
  Params& null(Oid type);
  Params& null_array(Oid element);
  Params& text(std::string_view value);
  Params& text_or_null(std::string_view value) {
    return value.empty() ? null(Oid::text) : text(value);
  }
  Params& bytea(std::string_view value);
  Params& int8(std::int64_t value);
  Params& int4(std::int32_t value);
  Params& int2(int value);  // REQUIRES: fits
  Params& float8(double value);
  Params& boolean(bool value);
  Params& uuid(const Uuid& value);
  Params& uuid(const std::optional<Uuid>& value) { return value ? uuid(*value) : null(Oid::uuid); }
  Params& time(Time value);
  Params& time(const std::optional<Time>& value) {
    return value ? time(*value) : null(Oid::timestamptz);
  }
  Params& array(Array value);

  std::size_t size() const { return values_.size(); }

 private:
  friend class PgConnection;
  Params& add(std::uint32_t oid, std::string bytes);
  std::vector<std::uint32_t> types_;
  std::vector<std::optional<std::string>> values_;
};

// Conversion to and from PostgreSQL's timestamptz: microseconds since 2000-01-01.
std::int64_t to_pg_time(Time time);
Time from_pg_time(std::int64_t value);

// A text[] or uuid[] literal, for arrays inside the rows of a batch (unnest would flatten them).
std::string text_array_literal(const std::vector<std::string>& values);
std::string uuid_array_literal(const std::vector<Uuid>& values);

// Milliseconds for an integer column, capped at its maximum of 24.8 days, which a deferred attempt
// may exceed.
std::int32_t int4_ms(Milliseconds duration);

}  // namespace postern::db
