// What all subcommands share: the settings, the choice of output, and the connection.
#pragma once

#include <string>

#include "core/program/config.h"
#include "db/pg/connection.h"

namespace postern::admin {

inline constexpr char kOperator[] = "postern_operator";
inline constexpr char kMigrator[] = "postern_migrator";

struct Context {
  Settings settings;
  bool json = false;
  bool wide = false;  // tables are not cut
  bool yes = false;   // what changes many is not asked about
  // Of the API, when it is to be asked over HTTP. An empty address: the host's database.
  std::string url, key, key_file, ca_file;
  bool url_said = false;  // by --url, and not by the environment

  // `role`: as whom the command connects when root started it and the settings name no user.
  db::PgConnection::Options connection_options(bool need_writable,
                                               const char* role = kOperator) const;
  // Connects as the settings say; ends the command with a sentence when that fails.
  db::PgConnection connect(bool need_writable = true, const char* role = kOperator) const;
};

}  // namespace postern::admin
