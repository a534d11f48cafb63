// What all subcommands share: the settings, the choice of output, and the connection.
#pragma once

#include <memory>
#include <string>

#include "core/program/config.h"
#include "db/pg/connection.h"
#include "db/pg/primary.h"

namespace postern::admin {

inline constexpr char kOperator[] = "postern_operator";
inline constexpr char kMigrator[] = "postern_migrator";

struct Context {
  Settings settings;
  std::string settings_file;  // that they are from, if it exists
  bool json = false;
  bool wide = false;  // tables are not cut
  bool yes = false;   // what changes many is not asked about
  // Of the API, when it is to be asked over HTTP. An empty address: the host's database.
  std::string url, key, key_file, ca_file;
  bool url_said = false;  // by --url, and not by the environment

  // What this command has seen of the database's primary, and the host's programs; one for all of
  // the command's connections that may write, whoever makes them.
  const std::shared_ptr<db::Primary>& primary() const;

  // `role`: as whom the command connects when root started it and the settings name no user. Those
  // that may write refuse a former primary, as far as primary() knows.
  db::PgConnection::Options connection_options(bool need_writable,
                                               const char* role = kOperator) const;
  // Connects as the settings say; ends the command with a sentence when that fails.
  db::PgConnection connect(bool need_writable = true, const char* role = kOperator) const;
  // The same, for when others go on: throws a PgError, which names the cell.
  db::PgConnection reach() const;
  // The same command on another cell's database.
  Context with(Settings others) const;

 private:
  bool other_ = false;  // made by with()
  mutable std::shared_ptr<db::Primary> primary_;
};

}  // namespace postern::admin
