// The binary encodings, as PostgreSQL's send/recv functions define them: big-endian integers.
#include "db/pg/parameters.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace postern::db {
namespace {

template <class T>
void put(char* out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * (sizeof(T) - 1 - i)));
  }
}

template <class T>
std::string big_endian(T value) {
  std::string out(sizeof(T), '\0');
  put(out.data(), value);
  return out;
}

// The header of an array of one dimension: number of dimensions, has-null flag, element type,
// length and lower bound. Without elements there is no dimension, and the header ends after the
// type.
constexpr std::size_t kArrayHeader = 20;
constexpr std::size_t kEmptyArrayHeader = 12;

std::string_view view(const Uuid& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

std::uint32_t array_oid(Oid element) {
  switch (element) {
    case Oid::boolean: return 1000;
    case Oid::bytea: return 1001;
    case Oid::int8: return 1016;
    case Oid::int2: return 1005;
    case Oid::int4: return 1007;
    case Oid::text: return 1009;
    case Oid::json: return 199;
    case Oid::float8: return 1022;
    case Oid::timestamptz: return 1185;
    case Oid::uuid: return 2951;
  }
  return 0;
}

constexpr std::chrono::sys_days kPgEpoch{std::chrono::year{2000} / 1 / 1};

}  // namespace

std::string_view type_name(Oid type) {
  switch (type) {
    case Oid::boolean: return "boolean";
    case Oid::bytea: return "bytea";
    case Oid::int8: return "int8";
    case Oid::int2: return "int2";
    case Oid::int4: return "int4";
    case Oid::text: return "text";
    case Oid::json: return "json";
    case Oid::float8: return "float8";
    case Oid::timestamptz: return "timestamptz";
    case Oid::uuid: return "uuid";
  }
  return "";
}

std::int64_t to_pg_time(Time time) {
  if (time == Time::min()) return std::numeric_limits<std::int64_t>::min();  // '-infinity'
  return (time - Time{kPgEpoch}).count();
}
Time from_pg_time(std::int64_t value) {
  return Time{kPgEpoch} +
         Microseconds{std::clamp(value, to_pg_time(kFirstTime), to_pg_time(kLastTime))};
}

Array::Array(Oid element, std::size_t expected) : element_(element) {
  constexpr std::size_t kGuess = 12;  // a number, or a short text
  bytes_.reserve(kArrayHeader + expected * kGuess);
  bytes_.resize(kArrayHeader);
}

template <class T>
void Array::number(T value) {
  const std::size_t at = bytes_.size();
  bytes_.resize(at + sizeof(T));
  put(bytes_.data() + at, value);
}
template <class T>
void Array::fixed(T value) {
  number(std::int32_t{sizeof(T)});
  number(value);
  ++count_;
}
void Array::element(std::string_view bytes) {
  number(static_cast<std::int32_t>(bytes.size()));
  bytes_.append(bytes);
  ++count_;
}
void Array::null() {
  ++count_;
  has_null_ = true;
  number(std::int32_t{-1});
}
void Array::text(std::string_view value) { element(value); }
void Array::int8(std::int64_t value) { fixed(value); }
void Array::int4(std::int32_t value) { fixed(value); }
void Array::int2(std::int16_t value) { fixed(value); }
void Array::float8(double value) { fixed(std::bit_cast<std::int64_t>(value)); }
void Array::boolean(bool value) { fixed(static_cast<std::int8_t>(value)); }
void Array::uuid(const Uuid& value) { element(view(value)); }
void Array::time(Time value) { int8(to_pg_time(value)); }

Params& Params::add(std::uint32_t oid, std::string bytes) {
  types_.push_back(oid);
  values_.emplace_back(std::move(bytes));
  return *this;
}
Params& Params::null(Oid type) {
  types_.push_back(static_cast<std::uint32_t>(type));
  values_.emplace_back(std::nullopt);
  return *this;
}
Params& Params::null_array(Oid element) {
  types_.push_back(array_oid(element));
  values_.emplace_back(std::nullopt);
  return *this;
}
Params& Params::text(std::string_view value) {
  return add(static_cast<std::uint32_t>(Oid::text), std::string(value));
}
Params& Params::bytea(std::string_view value) {
  return add(static_cast<std::uint32_t>(Oid::bytea), std::string(value));
}
Params& Params::int8(std::int64_t value) {
  return add(static_cast<std::uint32_t>(Oid::int8), big_endian(value));
}
Params& Params::int4(std::int32_t value) {
  return add(static_cast<std::uint32_t>(Oid::int4), big_endian(value));
}
Params& Params::int2(int value) {
  return add(static_cast<std::uint32_t>(Oid::int2), big_endian(static_cast<std::int16_t>(value)));
}
Params& Params::float8(double value) {
  return add(static_cast<std::uint32_t>(Oid::float8),
             big_endian(std::bit_cast<std::int64_t>(value)));
}
Params& Params::boolean(bool value) {
  return add(static_cast<std::uint32_t>(Oid::boolean), big_endian(static_cast<std::int8_t>(value)));
}
Params& Params::uuid(const Uuid& value) {
  return add(static_cast<std::uint32_t>(Oid::uuid), std::string(view(value)));
}
Params& Params::time(Time value) {
  return add(static_cast<std::uint32_t>(Oid::timestamptz), big_endian(to_pg_time(value)));
}

Params& Params::array(Array value) {
  std::string& out = value.bytes_;
  put(out.data(), std::int32_t{value.count_ > 0 ? 1 : 0});
  put(out.data() + 4, std::int32_t{value.has_null_});
  put(out.data() + 8, static_cast<std::uint32_t>(value.element_));
  put(out.data() + 12, value.count_);
  put(out.data() + 16, std::int32_t{1});
  if (value.count_ == 0) out.resize(kEmptyArrayHeader);
  return add(array_oid(value.element_), std::move(out));
}

std::string text_array_literal(const std::vector<std::string>& values) {
  std::string out = "{";
  for (const auto& value : values) {
    if (out.size() > 1) out += ',';
    out += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + '}';
}

std::string uuid_array_literal(const std::vector<Uuid>& values) {
  std::string out = "{";
  for (const auto& value : values) {
    if (out.size() > 1) out += ',';
    out += to_uuid(value);
  }
  return out + '}';
}

std::int32_t int4_ms(Milliseconds duration) {
  return static_cast<std::int32_t>(
      std::min<std::int64_t>(duration.count(), std::numeric_limits<std::int32_t>::max()));
}

}  // namespace postern::db
