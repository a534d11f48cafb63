// The rows of a result.
#include <libpq-fe.h>

#include <bit>
#include <cstring>
#include <stdexcept>

#include "db/pg/connection.h"

namespace postern::db {
namespace {

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

void PgClear::operator()(pg_result* result) const noexcept { PQclear(result); }

int PgResult::rows() const { return PQntuples(result_.get()); }

std::int64_t PgResult::affected() const {
  const std::string text = PQcmdTuples(result_.get());
  return text.empty() ? 0 : std::stoll(text);
}

int PgResult::column(const char* name) const {
  const int number = PQfnumber(result_.get(), name);
  if (number < 0) throw std::runtime_error(std::string("a result has no column ") + name);
  return number;
}

const char* PgResult::name(int col) const { return PQfname(result_.get(), col); }

bool PgResult::is_null(int row, int col) const { return PQgetisnull(result_.get(), row, col) != 0; }

std::string_view PgResult::text(int row, int col) const {
  return {PQgetvalue(result_.get(), row, col),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, col))};
}

// The bytes of a value that is not NULL and, unless `width` is 0, has that width.
std::string_view PgResult::value(int row, int col, std::size_t width) const {
  const auto bytes = text(row, col);
  if (is_null(row, col) || (width != 0 && bytes.size() != width)) {
    throw std::runtime_error(std::string("column ") + PQfname(result_.get(), col) +
                             " of a result is not of the expected type");
  }
  return bytes;
}

std::int64_t PgResult::integer(int row, int col) const {
  const auto bytes = value(row, col, 0);
  const auto raw = big_endian(bytes);
  switch (bytes.size()) {
    case 2: return static_cast<std::int16_t>(raw);
    case 4: return static_cast<std::int32_t>(raw);
    case 8: return static_cast<std::int64_t>(raw);
    default: return big_endian(value(row, col, 8)) != 0;  // throws
  }
}

bool PgResult::boolean(int row, int col) const { return value(row, col, 1)[0] != 0; }
double PgResult::float8(int row, int col) const {
  return std::bit_cast<double>(big_endian(value(row, col, 8)));
}
Time PgResult::time(int row, int col) const {
  return from_pg_time(static_cast<std::int64_t>(big_endian(value(row, col, 8))));
}
Uuid PgResult::uuid(int row, int col) const {
  Uuid id;
  const auto bytes = value(row, col, id.bytes.size());
  std::memcpy(id.bytes.data(), bytes.data(), id.bytes.size());
  return id;
}
std::optional<Time> PgResult::time_or_null(int row, int col) const {
  if (is_null(row, col)) return std::nullopt;
  return time(row, col);
}
std::optional<std::int64_t> PgResult::integer_or_null(int row, int col) const {
  if (is_null(row, col)) return std::nullopt;
  return integer(row, col);
}

std::vector<std::string> PgResult::text_array(int row, int col) const {
  std::vector<std::string> out;
  auto bytes = text(row, col);
  if (bytes.size() < 20) return out;  // NULL, or an array without dimensions, which is empty
  bytes.remove_prefix(20);
  while (bytes.size() >= 4) {
    const auto length = static_cast<std::int32_t>(big_endian(bytes.substr(0, 4)));
    bytes.remove_prefix(4);
    const auto size = length < 0 ? 0 : static_cast<std::size_t>(length);
    out.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  return out;
}

std::vector<Uuid> PgResult::uuid_array(int row, int col) const {
  std::vector<Uuid> out;
  for (const auto& bytes : text_array(row, col)) {
    Uuid id;
    if (bytes.size() != id.bytes.size()) throw std::runtime_error("a uuid[] holds something else");
    std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
    out.push_back(id);
  }
  return out;
}

}  // namespace postern::db
