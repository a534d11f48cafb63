#include "db/pg/copy.h"

#include <memory>
#include <optional>
#include <stdexcept>

#include <libpq-fe.h>
#include <poll.h>

#include "core/base/crash_point.h"
#include "db/pg/pulse.h"

namespace postern::db {
namespace {

struct FreeRow {
  void operator()(char* row) const noexcept { PQfreemem(row); }
};

}  // namespace

// What a COPY of a connection is, which only PgConnection may touch. It waits as PgConnection does:
// a server that nobody answers for any more, or that is no primary any more, ends it with a
// PgError.
class Copying {
 public:
  static void begin(PgConnection& connection, const std::string& sql, ExecStatusType expected) {
    if (!connection.send_script(sql)) throw PgError(connection.error(), "", true);
    std::optional<Pulse> pulse;
    flush(connection, pulse);
    while (connection.busy()) connection.wait(POLLIN, pulse);
    std::unique_ptr<PGresult, PgClear> result(PQgetResult(connection.conn_.get()));
    if (PQresultStatus(result.get()) == expected) return;
    forget(connection);
    connection.check(result.release());  // throws
    throw std::runtime_error("a COPY did not begin");
  }

  // Empty: that was all.
  static std::unique_ptr<char, FreeRow> row(PgConnection& connection, int& length) {
    std::optional<Pulse> pulse;
    char* bytes = nullptr;
    while ((length = PQgetCopyData(connection.conn_.get(), &bytes, 1)) == 0) {
      // It says "not yet", too, of a connection that has ended without a word of the server.
      if (PQstatus(connection.conn_.get()) != CONNECTION_OK) {
        throw PgError(connection.error(), "", true);
      }
      connection.wait(POLLIN, pulse);
    }
    return std::unique_ptr<char, FreeRow>(bytes);
  }

  // libpq keeps what the server has not taken yet, however much that is.
  static bool put(PgConnection& connection, const char* bytes, int length, std::size_t& kept) {
    if (PQputCopyData(connection.conn_.get(), bytes, length) != 1) return false;
    kept += static_cast<std::size_t>(length);
    if (kept > kMostKept) {
      std::optional<Pulse> pulse;
      flush(connection, pulse);
      kept = 0;
    }
    return true;
  }

  static void end(PgConnection& connection) { PQputCopyEnd(connection.conn_.get(), nullptr); }

  // The server forgets all of it.
  static void give_up(PgConnection& connection, const char* why) noexcept {
    PQputCopyEnd(connection.conn_.get(), why);
    try {
      rows(connection);
    } catch (...) {  // its refusal, or the end of the connection
    }
  }

  // The number of rows; throws PgError when the server has refused.
  static std::int64_t rows(PgConnection& connection) {
    std::optional<Pulse> pulse;
    flush(connection, pulse);
    std::int64_t count = 0;
    while (true) {
      while (connection.busy()) connection.wait(POLLIN, pulse);
      try {
        const auto result = connection.next();
        if (!result) return count;
        count = result->affected();
      } catch (...) {
        forget(connection);  // what follows the error; then it can be used again
        throw;
      }
    }
  }

  // Reads on to the end of a COPY from the server, if one is under way: there is not much.
  static void read_on(PgConnection& connection) noexcept {
    try {
      for (int length = 0; row(connection, length) != nullptr;) {
      }
    } catch (...) {  // the connection has ended, and with it the COPY
    }
    forget(connection);
  }

  static void forget(PgConnection& connection) noexcept {
    while (PGresult* result = PQgetResult(connection.conn_.get())) {
      const auto status = PQresultStatus(result);
      PQclear(result);
      if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) break;  // it would say so for ever
    }
  }

 private:
  static constexpr std::size_t kMostKept = 1 << 20;  // bytes

  static void flush(PgConnection& connection, std::optional<Pulse>& pulse) {
    while (connection.flush() == PgConnection::Progress::writing) {
      connection.wait(POLLIN | POLLOUT, pulse);
    }
  }
};

std::int64_t copy_rows(PgConnection& from, const std::string& select, PgConnection& to,
                       const std::string& into) {
  Copying::begin(from, "COPY (" + select + ") TO STDOUT (FORMAT binary)", PGRES_COPY_OUT);
  try {
    Copying::begin(to, "COPY " + into + " FROM STDIN (FORMAT binary)", PGRES_COPY_IN);
  } catch (...) {
    Copying::read_on(from);
    throw;
  }
  std::int64_t read = 0;
  try {
    // A target that refuses says so at the end; the rest is read all the same.
    bool accepts = true;
    int length = 0;
    std::size_t kept = 0;
    while (const auto row = Copying::row(from, length)) {
      accepts = accepts && Copying::put(to, row.get(), length, kept);
    }
    read = Copying::rows(from);
  } catch (...) {
    Copying::give_up(to, "the rows did not come to their end");
    Copying::read_on(from);
    throw;
  }
  Copying::end(to);
  const std::int64_t written = Copying::rows(to);
  crash_point("copy", "answered");
  if (read != written) {
    throw std::runtime_error("of " + std::to_string(read) + " rows, " + std::to_string(written) +
                             " arrived: " + into);
  }
  return written;
}

}  // namespace postern::db
