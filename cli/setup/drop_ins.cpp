// What the units are told of a PostgreSQL on another host: their password, and whom they may reach.
#include <arpa/inet.h>

#include <fmt/format.h>

#include <array>
#include <sstream>
#include <string>
#include <vector>

#include "cli/setup/files.h"
#include "cli/setup/passwords.h"
#include "core/program/database_password.h"
#include "db/pg/hosts.h"
#include "db/pg/login.h"

namespace postern::admin::setup {
namespace {

struct Unit {
  const char* name;
  const char* role;
  bool without_network;  // unless it is told otherwise
};
constexpr std::array kUnits{Unit{"postern-fcgi.service", "postern_api", true},
                            Unit{"postern-scheduler@.service", "postern_scheduler", false},
                            Unit{"postern-migrate.service", "postern_migrator", true}};

constexpr char kDropIn[] = "postern-database.conf";
// How those begin that are setup's.
constexpr char kWritten[] = "# Written by `postern setup`: PostgreSQL is on another host.";

std::string drop_in_path(const Plan& plan, const Unit& unit) {
  return plan.path(fmt::format("/etc/systemd/system/{}.d/{}", unit.name, kDropIn));
}

bool is_address(const std::string& host) {
  in6_addr any{};
  return inet_pton(AF_INET, host.c_str(), &any) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

// The lines that let a unit reach the servers: each of them, since any may be the primary. The
// kernel knows no names: where one has only that, every address is allowed.
std::string allowed(const std::string& conninfo) {
  std::string out;
  for (const auto& server : db::hosts_of(conninfo)) {
    auto address = db::conninfo_value(server.conninfo, "hostaddr");
    if (address.empty()) address = db::conninfo_value(server.conninfo, "host");
    if (!is_address(address)) return "IPAddressDeny=\n";
    out += "IPAddressAllow=" + address + "\n";
  }
  return out;
}

std::string drop_in(const Plan& plan, const Unit& unit) {
  std::string out = fmt::format("{}\n[Service]\nLoadCredential={}:{}/{}.{}\n", kWritten,
                                kDatabasePassword, kCredentials, kDatabasePassword, unit.role);
  if (!unit.without_network) return out;
  out += "PrivateNetwork=no\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n";
  return out + allowed(plan.context->settings.database);
}

// What an administrator has added stays.
bool has_lines(const std::string& text, const std::string& wanted) {
  std::istringstream lines(wanted);
  for (std::string line; std::getline(lines, line);) {
    if (("\n" + text).find("\n" + line + "\n") == text.npos) return false;
  }
  return true;
}

// Those that are not there, or are setup's for other servers.
std::vector<Unit> without_drop_in(const Plan& plan) {
  std::vector<Unit> out;
  for (const auto& unit : kUnits) {
    const auto text = read_file(drop_in_path(plan, unit));
    if (!text || (text->starts_with(kWritten) && !has_lines(*text, drop_in(plan, unit))))
      out.push_back(unit);
  }
  return out;
}

}  // namespace

Step drop_ins(Plan& plan) {
  return {
      "drop-ins",
      [&plan] {
        const auto wanting = without_drop_in(plan);
        if (wanting.empty()) return done("the units have their passwords and the network");
        std::string files;
        for (const auto& unit : wanting) {
          files += (files.empty() ? "" : ", ") + drop_in_path(plan, unit);
        }
        return open("tell the units of their passwords, and let them reach " +
                    db::conninfo_value(plan.context->settings.database, "host") + ", in " + files);
      },
      [&plan] {
        const auto wanting = without_drop_in(plan);
        std::string names, earlier;
        for (const auto& unit : wanting) {
          const auto path = drop_in_path(plan, unit);
          if (const auto text = read_file(path)) {
            earlier += (earlier.empty() ? "; as they were: " : ", ") +
                       back_up(plan.backups(), fmt::format("{}.{}", unit.name, kDropIn), *text);
          }
          write_file(path, drop_in(plan, unit), 0644);
          names += (names.empty() ? "" : ", ") + std::string(unit.name);
        }
        bool run = false;
        if (exists(plan.path("/run/systemd/system"))) {
          run_program({"systemctl", "daemon-reload"});
          run = run_program({"systemctl", "--quiet", "is-active", "postern-fcgi.service",
                             "postern-scheduler@1.service"})
                    .code == 0;  // one of them does
        }
        if (run || !earlier.empty()) {
          plan.to_do.push_back(fmt::format("have the units take their new drop-ins: {}", kRestart));
        }
        return fmt::format("wrote {} for {}{}", kDropIn, names, earlier);
      },
      "remove /etc/systemd/system/postern-*.d/postern-database.conf, then systemctl "
      "daemon-reload"};
}

}  // namespace postern::admin::setup
