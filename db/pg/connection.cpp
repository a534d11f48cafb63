// With login.cpp the only file that uses libpq.
#include "db/pg/connection.h"

#include <libpq-fe.h>

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "core/base/crash_point.h"
#include "db/pg/login.h"

namespace postern::db {
namespace {

constexpr int kBinary = 1;

// Connection parameters. The operator's connection string (dbname) is expanded behind the defaults
// and therefore wins over them; an empty text counts as not given. With these timeouts a half-open
// connection is noticed within 6 s (with keepalives alone: 9.7 s; without any: over 40 s).
struct Words {
  Words(const PgConnection::Options& options, const std::string& user)
      : keys{"application_name",
             "connect_timeout",
             "tcp_user_timeout",
             "keepalives_idle",
             "keepalives_interval",
             "keepalives_count",
             "target_session_attrs",
             "user",
             "password",
             "dbname",
             "client_encoding",
             nullptr},
        values{options.program.c_str(),
               "3",
               "5000",
               "5",
               "2",
               "3",
               options.need_writable ? "read-write" : "any",
               user.c_str(),
               options.password.c_str(),
               options.conninfo.c_str(),
               "UTF8",
               nullptr} {}
  std::array<const char*, 12> keys;
  std::array<const char*, 12> values;
};

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// Parameters in the form that libpq takes: arrays of pointers, lengths and formats.
struct Bound {
  explicit Bound(const std::vector<std::optional<std::string>>& params) {
    for (const auto& param : params) {
      values.push_back(param ? param->data() : nullptr);
      lengths.push_back(param ? static_cast<int>(param->size()) : 0);
      formats.push_back(kBinary);
    }
  }
  int size() const { return static_cast<int>(values.size()); }
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
};

// When the wait of a commit for a synchronous standby is cancelled, the server reports success and
// a warning. The warning is recognised by the server function that raises it, because its text is
// translated and its SQLSTATE is shared with other warnings.
void receive_notice(void* unsure_commit, const PGresult* notice) {
  const char* function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
  if (function != nullptr && std::strcmp(function, "SyncRepWaitForLSN") == 0) {
    *static_cast<bool*>(unsure_commit) = true;
  }
}

}  // namespace

void PgClear::operator()(pg_result* result) const noexcept { PQclear(result); }
void PgFinish::operator()(pg_conn* conn) const noexcept { PQfinish(conn); }

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

PgConnection::PgConnection(pg_conn* conn, bool prepare)
    : conn_(conn), unsure_commit_(std::make_unique<bool>(false)), prepare_(prepare) {
  if (conn == nullptr) throw std::bad_alloc();
  PQsetNoticeReceiver(conn, receive_notice, unsure_commit_.get());
}

PgConnection PgConnection::connect(const Options& options) {
  const ActingAs acting(options.login, options.conninfo);
  const Words words(options, acting.user);
  PgConnection made(PQconnectdbParams(words.keys.data(), words.values.data(), 1), options.prepare);
  if (!made.alive()) throw PgError(made.error(), "", true);
  if (!options.session.empty()) made.script(session_sql(options.session));
  return made;
}

// Returns a successful result; throws PgError otherwise.
PgResult PgConnection::check(pg_result* result) const {
  PgResult owned(result);
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY: return owned;
    default: {
      const char* state =
          result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
      // The primary message alone: the detail may quote a whole row with the task's body.
      const char* message =
          result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
      throw PgError(message == nullptr ? error() : message, state == nullptr ? "" : state,
                    !alive() || state == nullptr);
    }
  }
}

PgResult PgConnection::exec(const Statement& statement, const Params& params) {
  crash_point(statement.label(), "unsent");
  auto result = execute(statement, params);
  crash_point(statement.label(), "answered");
  return result;
}

PgResult PgConnection::execute(const Statement& statement, const Params& params) {
  const Bound bound(params.values_);
  const auto* types = params.types_.data();
  if (!prepare_ || *statement.name == '\0') {
    return check(PQexecParams(conn_.get(), statement.sql, bound.size(), types, bound.values.data(),
                              bound.lengths.data(), bound.formats.data(), kBinary));
  }
  if (!prepared(statement)) {
    check(PQprepare(conn_.get(), statement.name, statement.sql, bound.size(), types));
    mark_prepared(statement);
  }
  return check(PQexecPrepared(conn_.get(), statement.name, bound.size(), bound.values.data(),
                              bound.lengths.data(), bound.formats.data(), kBinary));
}

void PgConnection::script(const std::string& sql) { check(PQexec(conn_.get(), sql.c_str())); }

bool PgConnection::alive() const { return PQstatus(conn_.get()) == CONNECTION_OK; }

bool PgConnection::take_unsure_commit() { return std::exchange(*unsure_commit_, false); }

PgConnection PgConnection::start(const Options& options) {
  const ActingAs acting(options.login, options.conninfo);
  const Words words(options, acting.user);
  PgConnection made(PQconnectStartParams(words.keys.data(), words.values.data(), 1),
                    options.prepare);
  return made;
}

PgConnection::Progress PgConnection::poll_connect() {
  if (PQstatus(conn_.get()) == CONNECTION_BAD) return Progress::failed;
  switch (PQconnectPoll(conn_.get())) {
    case PGRES_POLLING_READING: return Progress::reading;
    case PGRES_POLLING_WRITING: return Progress::writing;
    case PGRES_POLLING_OK: PQsetnonblocking(conn_.get(), 1); return Progress::done;
    default: return Progress::failed;
  }
}

int PgConnection::socket() const { return PQsocket(conn_.get()); }

// The last error message of libpq as one line.
std::string PgConnection::error() const {
  std::string line;
  for (const char* c = PQerrorMessage(conn_.get()); *c != '\0'; ++c) {
    if (*c == '\n' || *c == '\t') {
      if (!line.empty() && line.back() != ' ') line += ' ';
    } else {
      line += *c;
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

bool PgConnection::prepared(const Statement& statement) const {
  return !prepare_ || *statement.name == '\0' || prepared_.contains(statement.name);
}

bool PgConnection::send_prepare(const Statement& statement, const Params& params) {
  return PQsendPrepare(conn_.get(), statement.name, statement.sql,
                       static_cast<int>(params.types_.size()), params.types_.data()) == 1;
}

bool PgConnection::send(const Statement& statement, const Params& params) {
  const Bound bound(params.values_);
  if (!prepare_ || *statement.name == '\0') {
    return PQsendQueryParams(conn_.get(), statement.sql, bound.size(), params.types_.data(),
                             bound.values.data(), bound.lengths.data(), bound.formats.data(),
                             kBinary) == 1;
  }
  return PQsendQueryPrepared(conn_.get(), statement.name, bound.size(), bound.values.data(),
                             bound.lengths.data(), bound.formats.data(), kBinary) == 1;
}

PgConnection::Progress PgConnection::flush() {
  switch (PQflush(conn_.get())) {
    case 0: return Progress::done;
    case 1: return Progress::writing;
    default: return Progress::failed;
  }
}

bool PgConnection::consume() { return PQconsumeInput(conn_.get()) == 1; }
bool PgConnection::busy() const { return PQisBusy(conn_.get()) == 1; }

std::optional<PgResult> PgConnection::next() {
  pg_result* result = PQgetResult(conn_.get());
  if (result == nullptr) return std::nullopt;
  return check(result);
}

std::optional<Notification> PgConnection::notification() {
  PGnotify* notify = PQnotifies(conn_.get());
  if (notify == nullptr) return std::nullopt;
  Notification out{notify->relname, notify->extra};
  PQfreemem(notify);
  return out;
}

Transaction::Transaction(PgConnection& connection) : connection_(connection) {
  connection_.exec({"", "BEGIN"});
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    connection_.exec({"", "ROLLBACK"});
  } catch (const std::exception&) {
    // The connection is lost, and the server rolls the transaction back.
  }
}

void Transaction::commit() {
  open_ = false;
  connection_.exec({"", "COMMIT"});
}

}  // namespace postern::db
