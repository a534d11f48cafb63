// A step of `postern setup`: what it looks at, what it does, and how that is undone. The steps know
// nothing of each other but the plan.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/command/context.h"
#include "core/program/database_password.h"
#include "core/program/settings.h"
#include "db/pg/connection.h"

namespace postern::admin::setup {

// What a step finds before it does anything.
struct Look {
  enum class State { done, open, skipped };
  State state;
  std::string text;  // what is there; what it will do; why it cannot be done here
};
inline Look done(std::string text) { return {Look::State::done, std::move(text)}; }
inline Look open(std::string text) { return {Look::State::open, std::move(text)}; }
inline Look skipped(std::string text) { return {Look::State::skipped, std::move(text)}; }

// Thrown by a step's run: it cannot be done here, and the others need it not.
struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Step {
  const char* name;
  std::function<Look()> look;        // changes nothing
  std::function<std::string()> run;  // returns what it did; throws what() to show
  std::string undo;                  // a command, or a sentence
};

// What the administrator asked for, and what the steps share.
struct Plan {
  Context* context = nullptr;
  std::string root;       // in front of /etc and /run; empty: this system
  std::string nginx_dir;  // nginx's folder
  std::string vhost, public_url, key_name = "first", admin_password_file;
  std::vector<std::string> to_do;       // what is left to the administrator
  bool new_passwords = false;           // for roles that have some, too
  bool made_database = false;           // by this run, so nobody else uses it
  std::vector<std::string> made_roles;  // likewise

  std::string path(const std::string& absolute) const { return root + absolute; }
  std::string conf() const { return path(kSettingsFile); }
  std::string credentials() const { return path(std::string(kCredentials)); }
  std::string backups() const { return path("/etc/postern/backup"); }
  bool local() const;  // PostgreSQL is reached by a Unix socket
  std::string database_name() const;
  // A connection with the rights of whoever sets up: the user that --database names; else root as
  // the system user postgres; else, to another host, postern_migrator. `database` empty: Postern's.
  db::PgConnection connect(const std::string& database = "") const;
  // Where databases are made: nullopt when the administrator may not connect there.
  std::optional<db::PgConnection> maintenance() const;
  bool database_exists() const;
};

// What is to be said when the settings' file names another database than --database: setting up one
// while the programs use the other would help nobody.
std::optional<std::string> other_database(const Plan& plan);

// Each returns its steps in order. `plan` must outlive them.
std::vector<Step> database_steps(Plan& plan);
std::vector<Step> settings_steps(Plan& plan);
std::vector<Step> unit_steps(Plan& plan);
std::vector<Step> nginx_steps(Plan& plan);
std::vector<Step> first_steps(Plan& plan);  // a key and a first task

}  // namespace postern::admin::setup
