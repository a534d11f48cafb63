// What PostgreSQL or the way to it refused, and what follows from it: the one place that reads
// SQLSTATEs (PostgreSQL's documentation, appendix A).
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

namespace postern::db {

// The server refused a statement, or the connection is gone.
class PgError : public std::runtime_error {
 public:
  PgError(const std::string& message, std::string sqlstate, bool connection_lost)
      : std::runtime_error(message), sqlstate_(std::move(sqlstate)), lost_(connection_lost) {}
  // Five characters; empty when libpq itself failed.
  const std::string& sqlstate() const { return sqlstate_; }
  // True: whether the statement took effect is not known.
  bool connection_lost() const { return lost_; }

  // The connection broke, or the server is told to end, perhaps behind the commit: whether a
  // transaction was committed is not known.
  bool leaves_commit_unsure() const;
  // The transaction was undone because of others that were under way (a serialization failure, a
  // deadlock): asked for again it may work.
  bool is_undone() const;
  // A lock was not to be had in time.
  bool is_lock_timeout() const;
  // It was undone, waited for a lock in vain, or took too long: the server is there and busy.
  bool is_busy() const;
  // One of the rows or values is at fault; another try ends the same way.
  bool is_data_fault() const;
  // The server cannot serve now, whatever the statement says: trying again later helps.
  bool is_passing() const;
  bool is_unique_violation() const;
  bool is_foreign_key_violation() const;

 private:
  // Whether the SQLSTATE is of one of these classes, or is one of these.
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
