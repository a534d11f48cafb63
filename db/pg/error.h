// Errors of PostgreSQL and of the connection to it, and their classification: the one place that
// reads SQLSTATEs (PostgreSQL's documentation, appendix A).
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

namespace postern::db {

// The server rejected a statement, or the connection was lost.
class PgError : public std::runtime_error {
 public:
  PgError(const std::string& message, std::string sqlstate, bool connection_lost)
      : std::runtime_error(message), sqlstate_(std::move(sqlstate)), lost_(connection_lost) {}
  // Five characters; empty when libpq itself failed.
  const std::string& sqlstate() const { return sqlstate_; }
  // True when the connection broke; it is then unknown whether the statement took effect.
  bool connection_lost() const { return lost_; }

  // It is unknown whether the transaction was committed: the connection broke or the server is
  // shutting down, possibly after the commit.
  bool leaves_commit_unsure() const;
  // The transaction was rolled back because of concurrent ones (a serialization failure or a
  // deadlock); a repetition may succeed.
  bool is_undone() const;
  // A lock was not granted in time.
  bool is_lock_timeout() const;
  // The server is reachable but busy: is_undone, is_lock_timeout, or a statement timeout.
  bool is_busy() const;
  // A row or value is at fault; a repetition fails the same way.
  bool is_data_fault() const;
  // The server cannot serve now, whatever the statement; a repetition may succeed later.
  bool is_passing() const;
  bool is_unique_violation() const;
  bool is_foreign_key_violation() const;
  // The tenant is on its way to another cell, or has moved there: nothing was written.
  bool is_tenant_away() const;
  // A step of a move that the tenant's state does not allow: nothing was done, and a repetition
  // fails the same way.
  bool is_wrong_step() const;

 private:
  // True when the SQLSTATE begins with one of `beginnings`: classes or whole codes.
  bool is_of(std::initializer_list<const char*> beginnings) const;

  std::string sqlstate_;
  bool lost_;
};

// Every connection of the pool was in use for as long as a caller may wait. The statement was not
// sent. Trying again later helps.
class AllConnectionsBusy : public PgError {
 public:
  AllConnectionsBusy() : PgError("all database connections are busy", "53300", false) {}
};

}  // namespace postern::db
