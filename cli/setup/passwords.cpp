#include "cli/setup/passwords.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "cli/setup/files.h"
#include "core/base/base64.h"
#include "core/base/crypto.h"
#include "core/program/database_password.h"
#include "db/pg/login.h"
#include "db/schema/roles.h"

namespace postern::admin::setup {
namespace {

std::string_view bytes(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::string file_of(const Plan& plan, const std::string& role) {
  return fmt::format("{}/{}.{}", plan.credentials(), kDatabasePassword, role);
}

std::vector<std::string> without_password(const Plan& plan) {
  std::vector<std::string> out;
  for (const char* role : db::kLoginRoles) {
    if (!exists(file_of(plan, role))) out.emplace_back(role);
  }
  return out;
}

Step passwords(Plan& plan) {
  return {"passwords",
          [&plan] {
            const auto missing = without_password(plan);
            if (missing.empty()) return done("in " + plan.credentials());
            return open(fmt::format("give random ones to {}, in files of root's in {}",
                                    fmt::join(missing, ", "), plan.credentials()));
          },
          [&plan] {
            auto admin = plan.connect();
            std::filesystem::create_directories(plan.credentials());
            chmod(plan.credentials().c_str(), 0700);
            std::size_t made = 0;
            for (const auto& role : without_password(plan)) {
              const auto password = random_base62(40);
              std::array<std::uint8_t, 16> salt{};
              random_bytes(salt);
              // The file first, since one may not be written for want of room; and under its name
              // when PostgreSQL has the password: until then the next run makes another.
              const auto file = file_of(plan, role);
              const auto waiting = file + ".waiting";
              write_file(waiting, password + "\n", 0600);
              try {
                admin.script(fmt::format(
                    "ALTER ROLE {} PASSWORD '{}'", role,
                    scram_verifier(password,
                                   {reinterpret_cast<const char*>(salt.data()), salt.size()})));
              } catch (...) {
                std::filesystem::remove(waiting);
                throw;
              }
              std::filesystem::rename(waiting, file);
              ++made;
            }
            return fmt::format("made {}, in {}", made, plan.credentials());
          },
          "remove the files " + plan.credentials() +
              "/database-password.*, and ALTER ROLE ... "
              "PASSWORD NULL"};
}

struct Unit {
  const char* name;
  const char* role;
  bool without_network;  // unless it is told otherwise
};
constexpr std::array kUnits{Unit{"postern-fcgi.service", "postern_api", true},
                            Unit{"postern-scheduler@.service", "postern_scheduler", false},
                            Unit{"postern-migrate.service", "postern_migrator", true}};

std::string drop_in_path(const Plan& plan, const Unit& unit) {
  return plan.path(fmt::format("/etc/systemd/system/{}.d/postern-database.conf", unit.name));
}

bool is_address(const std::string& host) {
  in6_addr any{};
  return inet_pton(AF_INET, host.c_str(), &any) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

std::string drop_in(const Plan& plan, const Unit& unit) {
  std::string out = fmt::format(
      "# Written by `postern setup`: PostgreSQL is on another host.\n[Service]\n"
      "LoadCredential={}:{}/{}.{}\n",
      kDatabasePassword, kCredentials, kDatabasePassword, unit.role);
  if (!unit.without_network) return out;
  out += "PrivateNetwork=no\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n";
  // The kernel knows no names: with one, or with several hosts, every address is allowed.
  auto host = db::conninfo_value(plan.context->settings.database, "hostaddr");
  if (host.empty()) host = db::conninfo_value(plan.context->settings.database, "host");
  return out + (is_address(host) ? "IPAddressAllow=" + host + "\n" : "IPAddressDeny=\n");
}

Step drop_ins(Plan& plan) {
  return {"drop-ins",
          [&plan] {
            for (const auto& unit : kUnits) {
              if (!exists(drop_in_path(plan, unit))) {
                return open("tell the units of their passwords, and let them reach " +
                            db::conninfo_value(plan.context->settings.database, "host") + ", in " +
                            drop_in_path(plan, unit));
              }
            }
            return done("the units have their passwords and the network");
          },
          [&plan] {
            for (const auto& unit : kUnits) {
              const auto path = drop_in_path(plan, unit);
              if (!exists(path)) write_file(path, drop_in(plan, unit), 0644);
            }
            if (exists(plan.path("/run/systemd/system"))) {
              run_program({"systemctl", "daemon-reload"});
            }
            return std::string("wrote three postern-database.conf, one for each unit");
          },
          "remove /etc/systemd/system/postern-*.d/postern-database.conf, then systemctl "
          "daemon-reload"};
}

}  // namespace

std::string scram_verifier(std::string_view password, std::string_view salt) {
  constexpr int kRounds = 4096;
  auto turn = hmac_sha256(password, std::string(salt) + std::string("\0\0\0\1", 4));
  auto salted = turn;
  for (int i = 1; i < kRounds; ++i) {
    turn = hmac_sha256(password, bytes(turn));
    for (std::size_t n = 0; n < salted.size(); ++n) salted[n] ^= turn[n];
  }
  const auto client = hmac_sha256(bytes(salted), "Client Key");
  const auto server = hmac_sha256(bytes(salted), "Server Key");
  return fmt::format("SCRAM-SHA-256${}:{}${}:{}", kRounds, base64_encode(salt),
                     base64_encode(bytes(sha256(bytes(client)))), base64_encode(bytes(server)));
}

std::string stored_password(const Plan& plan, const std::string& role) {
  const auto file = file_of(plan, role);
  if (!exists(file)) return "";
  Settings of_role;
  of_role.database_password_file = file;
  return read_database_password(of_role, Program::admin, role);
}

std::vector<Step> password_steps(Plan& plan) { return {passwords(plan), drop_ins(plan)}; }

}  // namespace postern::admin::setup
