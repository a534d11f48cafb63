// What a program sets for each session with PostgreSQL, right after it has connected. PostgreSQL
// applies a role's own settings only to a login by that role; a login that is merely a member of it
// does not get them.
#pragma once

#include <span>
#include <string>

#include "core/time/time.h"

namespace postern::db {

struct SessionSetting {
  const char* name;
  const char* value;
};
using Session = std::span<const SessionSetting>;

// Each has what the statements rely on, and timeouts: those of the handlers, where a client waits
// for each statement; of the scheduler, with what keeps its plans from tipping; and of commands.
Session handler_session();
// The handlers' for the connections of the intake, on which everybody's tasks wait for each
// statement: one that waits for a lock gives up soon.
Session intake_session();
// The handlers' where many rows are looked at: shorter, since others wait for the connection.
Session reader_session();
Session scheduler_session();
Session command_session();

// Of these, what keeps plans from tipping: one plan for any parameters, by index.
Session plans_by_index();

// The server gives up a statement of the scheduler after this time.
constexpr Seconds kSchedulerStatementTimeout{15};

// One statement, without parameters, that sets all of them for the session. It leaves alone what
// the connection string sets itself (`options=-c ...`), and what this server does not know. As an
// ordinary statement it passes PgBouncer, which refuses such settings in the start packet.
std::string session_sql(Session session);

// The same for the transaction alone; it leaves nothing alone.
std::string transaction_sql(Session session);

}  // namespace postern::db
