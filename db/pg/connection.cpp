#include "db/pg/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/base/crash_point.h"
#include "db/pg/login.h"
#include "db/pg/pulse.h"

namespace postern::db {
namespace {

constexpr int kBinary = 1;

// Connection parameters. The operator's connection string (dbname) is expanded behind the defaults
// and therefore wins over them; an empty text counts as not given. With these timeouts a half-open
// connection is noticed within 6 s (with keepalives alone: 9.7 s; without any: over 40 s).
struct Words {
  Words(const PgConnection::Options& options, const std::string& user)
      : keys{"application_name",
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
  std::array<const char*, 11> keys;
  std::array<const char*, 11> values;
};

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

void PgFinish::operator()(pg_conn* conn) const noexcept { PQfinish(conn); }

PgConnection::PgConnection(pg_conn* conn, const Options& options)
    : options_(std::make_shared<const Options>(options)),
      conn_(conn),
      unsure_commit_(std::make_unique<bool>(false)),
      generation_(options.primary ? options.primary->generation() : 0) {
  if (conn == nullptr) throw std::bad_alloc();
  PQsetNoticeReceiver(conn, receive_notice, unsure_commit_.get());
  if (options.codes) PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
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
      std::string text = message == nullptr ? error() : message;
      const std::string_view code = state == nullptr ? "" : state;
      // Prepared statements that are gone, or there already, although nobody else uses this
      // connection.
      if (options_->prepare && (code == "26000" || code == "42P05")) {
        text += "; set prepared_statements = false behind PgBouncer in transaction mode";
      }
      throw PgError(text, std::string(code), !alive() || state == nullptr);
    }
  }
}

PgResult PgConnection::exec(const Statement& statement, const Params& params) {
  crash_point(statement.label(), "unsent");
  auto result = execute(statement, params);
  crash_point(statement.label(), "answered");
  return result;
}

bool PgConnection::is_direct() {
  return exec({"", "SELECT pg_backend_pid()"}).integer(0, 0) == PQbackendPID(conn_.get());
}

PgResult PgConnection::execute(const Statement& statement, const Params& params) {
  if (former()) throw PgError("the primary has changed", "", true);
  ask_again();
  if (!prepared(statement)) {
    if (!send_prepare(statement, params)) throw PgError(error(), "", true);
    await();
    mark_prepared(statement);
  }
  if (!send(statement, params)) throw PgError(error(), "", true);
  return await();
}

void PgConnection::script(const std::string& sql) {
  if (!send_script(sql)) throw PgError(error(), "", true);
  await();
}

// The last result of what was sent, as PQexec has it.
PgResult PgConnection::await() {
  std::optional<Pulse> pulse;
  while (PQflush(conn_.get()) == 1) wait(POLLIN | POLLOUT, pulse);
  std::unique_ptr<pg_result, PgClear> last;
  for (;;) {
    while (PQisBusy(conn_.get()) == 1) wait(POLLIN, pulse);
    pg_result* const result = PQgetResult(conn_.get());
    if (result == nullptr) return check(last.release());
    last.reset(result);
  }
}

// Waits for the socket and reads what is there. A connection that breaks is noticed by what comes
// next.
void PgConnection::wait(short events, std::optional<Pulse>& pulse) {
  pollfd fd{socket(), events, 0};
  if (poll(&fd, 1, static_cast<int>(kPulseEvery.count())) != 0) {
    PQconsumeInput(conn_.get());
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (!pulse) pulse.emplace(options(), now);
  const bool beats = pulse->beats(now);
  if (beats && !former()) return;
  conn_.reset();
  throw PgError(beats ? "the primary has changed" : kSilent, "", true);
}

bool PgConnection::former() const {
  return options_->primary && options_->primary->generation() != generation_;
}

bool PgConnection::alive() const { return PQstatus(conn_.get()) == CONNECTION_OK && !former(); }

void PgConnection::take_answer(const PgResult& answer, Monotonic now) {
  generation_ = options_->primary->judge(answer);
  asked_at_ = now;
}

bool PgConnection::must_ask_again(Monotonic now) const {
  return options_->primary && !options_->prepare && now - asked_at_ > options_->ask_every &&
         PQtransactionStatus(conn_.get()) == PQTRANS_IDLE;
}

void PgConnection::ask_again() {
  const auto now = std::chrono::steady_clock::now();
  if (!must_ask_again(now)) return;
  const auto question = options_->primary->question();
  if (question.empty()) return;
  try {
    if (!send_script(question)) throw PgError(error(), "", true);
    take_answer(await(), now);
  } catch (const PgError& error) {
    const auto lost = error.connection_lost() ? error : question_refused(error);
    conn_.reset();
    throw lost;
  }
}

PgError question_refused(const PgError& refusal) {
  return {std::string("the server does not tell any more which it is: ") + refusal.what(), "",
          true};
}

bool PgConnection::take_unsure_commit() { return std::exchange(*unsure_commit_, false); }

PgConnection PgConnection::start(const Options& options) {
  const ActingAs acting(options.login, options.conninfo);
  const Words words(options, acting.user);
  PgConnection made(PQconnectStartParams(words.keys.data(), words.values.data(), 1), options);
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

std::string PgConnection::server() const {
  return std::string("connection to server at \"") + PQhost(conn_.get()) + "\", port " +
         PQport(conn_.get());
}

bool PgConnection::prepared(const Statement& statement) const {
  return !options_->prepare || *statement.name == '\0' || prepared_.contains(statement.name);
}

bool PgConnection::send_prepare(const Statement& statement, const Params& params) {
  return PQsendPrepare(conn_.get(), statement.name, statement.sql,
                       static_cast<int>(params.types_.size()), params.types_.data()) == 1;
}

bool PgConnection::send(const Statement& statement, const Params& params) {
  const Bound bound(params.values_);
  if (!options_->prepare || *statement.name == '\0') {
    return PQsendQueryParams(conn_.get(), statement.sql, bound.size(), params.types_.data(),
                             bound.values.data(), bound.lengths.data(), bound.formats.data(),
                             kBinary) == 1;
  }
  return PQsendQueryPrepared(conn_.get(), statement.name, bound.size(), bound.values.data(),
                             bound.lengths.data(), bound.formats.data(), kBinary) == 1;
}

bool PgConnection::send_script(const std::string& sql) {
  return PQsendQuery(conn_.get(), sql.c_str()) == 1;
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
