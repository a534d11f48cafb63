// This host's clock, and its files as far as the command may read them.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "cli/doctor/check.h"
#include "core/program/clock.h"
#include "core/program/file.h"
#include "core/program/jwt_policy.h"
#include "core/program/state_folder.h"
#include "db/pg/primary.h"

namespace postern::admin::doctor {
namespace {

namespace fs = std::filesystem;

using db::health::Diagnosis;
using db::health::Grade;
using db::health::Patient;
using db::health::skip;
using db::health::warning_unless;
using db::health::wrong_unless;

// The file of keys that the handlers check tokens with, as far as this command is told of it.
Diagnosis token_keys(const Context& context) {
  const Settings& settings = context.settings;
  if (settings.jwt_keys_file.empty()) return wrong_unless(true, "no jwt_keys_file is set", "");
  try {
    const auto keys = read_jwt_public_keys(settings);
    return wrong_unless(true, fmt::format("{} in {}", keys.size(), settings.jwt_keys_file), "");
  } catch (const std::runtime_error& error) {
    return wrong_unless(
        false, error.what(),
        "postern-fcgi does not start with it: it must be PEM or a JSON Web Key Set that "
        "postern_api may read");
  }
}

Diagnosis public_url(const Context& context) {
  const auto& url = context.settings.public_url;
  return warning_unless(!url.empty(),
                        url.empty() ? "is not set, as far as this command is told" : url,
                        "set public_url in postern.conf: without it receivers get a bare path as "
                        "Postern-Complete-Url, and links in answers have no host");
}

// Whether one of the files in the folder includes one of Postern's, besides its definitions.
bool is_included(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string text = file_content(entry.path()).value_or("");
    for (const char* file : {"snippets/postern", "postern/server.conf", "postern/site.conf",
                             "postern/vhost.conf", "postern/location.conf"}) {
      const auto at = text.find(file);
      if (at == text.npos) continue;
      const auto line = text.rfind('\n', at) + 1;
      if (text.find('#', line) > at) return true;
    }
  }
  return false;
}

// Of several cells, the file that nginx should have in the place of one that is for one cell, and
// has not, or has an earlier version's of it; empty: all is as it should be, or there is one cell.
std::string cells_file_left_out(const fs::path& folder) {
  std::error_code none;
  if (!fs::exists(folder / "conf.d/postern-cells.conf", none)) return {};
  for (const std::string name : {"judge.conf", "pass.conf", "server.conf"}) {
    const fs::path ours = folder / "postern" / ("cells-" + name);
    if (file_content(ours) != file_content(folder / "postern" / ("cell-" + name)))
      return "cell-" + name;
  }
  return {};
}

Diagnosis nginx() {
  const fs::path folder = "/etc/nginx";
  std::error_code none;
  if (!fs::exists(folder / "nginx.conf", none)) return skip("there is no /etc/nginx here", "");
  if (access((folder / "conf.d").c_str(), R_OK | X_OK) != 0) {
    return skip("/etc/nginx cannot be read", "run the doctor as root");
  }
  if (!fs::exists(folder / "conf.d/postern.conf", none)) {
    return warning_unless(false, "conf.d/postern.conf is not there", "run `postern setup`");
  }
  if (const auto file = cells_file_left_out(folder); !file.empty()) {
    return warning_unless(false, "cells.conf is included, and " + file + " is not the cells' own",
                          "copy cells-judge.conf, cells-pass.conf and cells-server.conf over those "
                          "with cell- in their "
                          "names: docs/cells.md");
  }
  const bool included = is_included(folder / "sites-enabled") || is_included(folder / "conf.d");
  return warning_unless(
      included, included ? "a server includes Postern" : "no server includes Postern",
      "run `postern setup --vhost NAME`, or add `include snippets/postern.conf;`");
}

// What the programs of this host remember of the primary, as far as this command may read it.
Diagnosis primary(const Context& context, Patient& patient) {
  const auto now = db::primary_of(patient.connection);
  if (now.timeline == 0) return skip("this server does not tell its timeline", "");
  bool remembered = false;
  for (const auto& folder : state_folders(context.settings)) {
    if (access(folder.c_str(), F_OK) != 0) continue;
    try {
      const auto known = db::read_primary(folder);
      if (!known) continue;
      remembered = true;
      const bool other = known->system != 0 && now.system != 0 && known->system != now.system;
      if (!other && now.timeline >= known->timeline) continue;
      return {Grade::wrong,
              fmt::format("this is system {} on timeline {}, and the programs work with system {} "
                          "on timeline {} ({})",
                          now.system, now.timeline, known->system, known->timeline, folder),
              "if this is the right database, as after a restore: postern cell accept"};
    } catch (const std::exception& error) {
      return skip(error.what(), "run the doctor as root");
    }
  }
  return wrong_unless(true,
                      remembered
                          ? fmt::format("on timeline {}, as the programs remember it", now.timeline)
                          : fmt::format("on timeline {}; nothing is remembered here", now.timeline),
                      "");
}

}  // namespace

db::health::Checks host_checks(const Context& context) {
  return {{"clock", [](Patient& patient) { return db::health::clock(patient, wall_clock()); }},
          {"primary", [&](Patient& patient) { return primary(context, patient); }},
          {"public url", [&](Patient&) { return public_url(context); }},
          {"nginx", [](Patient&) { return nginx(); }},
          {"token keys", [&](Patient&) { return token_keys(context); }}};
}

}  // namespace postern::admin::doctor
