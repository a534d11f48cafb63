// RAII over libpq. Only connection.cpp, copy.cpp, login.cpp and result.cpp include libpq-fe.h.
// Results come in binary format.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/uuid.h"
#include "core/time/time.h"
#include "db/pg/error.h"
#include "db/pg/parameters.h"
#include "db/pg/primary.h"
#include "db/pg/session.h"

struct pg_conn;    // libpq's PGconn
struct pg_result;  // libpq's PGresult

namespace postern::db {

class Pulse;

// A statement's text. One with a name is prepared once per connection, unless Options::prepare is
// off.
struct Statement {
  const char* name;  // "" = not prepared
  const char* sql;

  // Its name, or its text when it has none.
  const char* label() const { return *name != '\0' ? name : sql; }
};

// A statement whose text is put together when the program starts.
class BuiltStatement : public Statement {
 public:
  BuiltStatement(const char* statement_name, std::string text)
      : Statement{statement_name, nullptr}, text_(std::move(text)) {
    sql = text_.c_str();
  }
  BuiltStatement(const BuiltStatement&) = delete;
  BuiltStatement& operator=(const BuiltStatement&) = delete;

 private:
  const std::string text_;
};

struct PgClear {
  void operator()(pg_result* result) const noexcept;
};
struct PgFinish {
  void operator()(pg_conn* conn) const noexcept;
};

// The rows of one result. Views live as long as it does. Reading a column as another type than it
// has, or a NULL as a plain value, is a fault: std::runtime_error. Columns are found by name, once
// for a result (see also rows.h); only of a result with a single column the number is written down.
class PgResult {
 public:
  explicit PgResult(pg_result* result) : result_(result) {}

  int rows() const;
  // Rows affected by INSERT, UPDATE or DELETE.
  std::int64_t affected() const;

  // The number of the column of this name. There is none: std::runtime_error, which names it.
  int column(const char* name) const;
  const char* name(int col) const;

  bool is_null(int row, int col) const;
  std::string_view text(int row, int col) const;  // text, name, bytea; NULL reads as empty
  std::int64_t integer(int row, int col) const;   // int2, int4, int8
  bool boolean(int row, int col) const;
  double float8(int row, int col) const;
  // One that is not finite, or not within kFirstTime to kLastTime, reads as the nearest that is.
  Time time(int row, int col) const;
  Uuid uuid(int row, int col) const;
  std::vector<std::string> text_array(int row, int col) const;  // NULL reads as empty
  std::vector<Uuid> uuid_array(int row, int col) const;
  std::optional<Time> time_or_null(int row, int col) const;
  std::optional<std::int64_t> integer_or_null(int row, int col) const;

 private:
  std::string_view value(int row, int col, std::size_t width) const;
  std::unique_ptr<pg_result, PgClear> result_;
};

struct Notification {
  std::string channel;
  std::string payload;
};

// One connection, used by one thread at a time. It never reconnects by itself, since only its owner
// knows what was under way. `connect` and `exec` block; the members of the part "without blocking"
// do not, and are driven by a Channel.
class PgConnection {
 public:
  struct Options {
    std::string conninfo;       // a libpq connection string or URL; it wins over the defaults here
    std::string program;        // application_name
    bool prepare = true;        // off behind PgBouncer in transaction mode
    bool need_writable = true;  // refuse hot standbys
    Session session = {};       // set before anything else is asked
    std::string login = {};     // as whom a process of root connects (ActingAs); empty: as root
    std::string password = {};  // for a server that asks for one, and a conninfo without
    std::shared_ptr<Primary> primary = {};  // refuses former primaries; without it all are taken
    bool codes = false;  // messages of libpq have the SQLSTATE: "FATAL:  28P01: password ..."
    // How often, at most, the question to the primary is repeated behind PgBouncer.
    Milliseconds ask_every = Seconds{5};
  };

  // Connects to the first host of the connection string that can be used (connecting.h), each of
  // which has 3 s for it, or throws PgError.
  static PgConnection connect(const Options& options);

  // Runs one statement. Throws PgError unless the server accepts it, and when nobody answers any
  // more on the server's host (see pulse.h).
  PgResult exec(const Statement& statement, const Params& params = {});
  // Runs a script of several statements without parameters, in one transaction unless the script
  // begins its own. Throws PgError.
  void script(const std::string& sql);

  // False after the connection broke, and once the primary has changed since it was made; it cannot
  // be used any more.
  bool alive() const;
  // As it was made, with the one host that it has.
  const Options& options() const { return *options_; }
  // False: a pooler is between, as PgBouncer, which tells its clients keys of its own for
  // cancelling statements, and in transaction mode may give each statement to another session.
  // Whatever only passes bytes on is not noticed.
  bool is_direct();
  // True when a commit since the last call came with the server's warning that the wait for a
  // synchronous standby was cancelled: the commit must not be acknowledged. Reading resets it.
  bool take_unsure_commit();

  // --- without blocking ---
  enum class Progress { reading, writing, done, failed };
  // Begins to connect. Call poll_connect whenever socket() is readable or writable, as its result
  // asks, until it returns `done` or `failed`. A Connecting does.
  static PgConnection start(const Options& options);
  Progress poll_connect();
  int socket() const;
  // The last error message of libpq as one line.
  std::string error() const;
  // How libpq's own messages name the server.
  std::string server() const;
  // Sends one statement. REQUIRES: all results of the previous one have been taken. False: the
  // connection broke.
  bool send(const Statement& statement, const Params& params);
  // The same with a script of several statements, whose results come as text.
  bool send_script(const std::string& sql);
  // Writes buffered output. `writing`: call again when the socket is writable.
  Progress flush();
  // Reads available input. False: the connection broke.
  bool consume();
  // After consume: true when `next` would block.
  bool busy() const;
  // The next result of the statement sent; nullopt when there are no more. Throws PgError as exec
  // does.
  std::optional<PgResult> next();
  // True when `statement` can be sent. Otherwise call send_prepare, take its result and call
  // mark_prepared first.
  bool prepared(const Statement& statement) const;
  bool send_prepare(const Statement& statement, const Params& params);
  void mark_prepared(const Statement& statement) { prepared_.insert(statement.name); }
  std::optional<Notification> notification();
  // Takes the answer to options().primary's question. Throws as Primary::judge does.
  void take_answer(const PgResult& answer, Monotonic now);
  // True when the question is due again: behind a PgBouncer in transaction mode another server may
  // have come to stand behind the connection.
  bool must_ask_again(Monotonic now) const;

 private:
  friend class Copying;  // of copy.cpp
  PgConnection(pg_conn* conn, const Options& options);
  PgResult execute(const Statement& statement, const Params& params);
  PgResult check(pg_result* result) const;
  PgResult await();
  void wait(short events, std::optional<Pulse>& pulse);
  void ask_again();
  bool former() const;

  std::shared_ptr<const Options> options_;
  std::unique_ptr<pg_conn, PgFinish> conn_;
  std::unique_ptr<bool> unsure_commit_;  // on the heap: the notice receiver keeps its address
  std::set<std::string> prepared_;
  std::uint64_t generation_;  // of options_->primary; until it was asked, that of then
  Monotonic asked_at_{};
};

// A server that has answered the question to the primary refuses it now, as after a REVOKE: its
// connection counts as lost, since the next one asks less of it (connecting.h).
PgError question_refused(const PgError& refusal);

// Begins a transaction; the destructor rolls it back unless it was committed.
class Transaction {
 public:
  explicit Transaction(PgConnection& connection);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  PgConnection& connection_;
  bool open_ = true;
};

}  // namespace postern::db
