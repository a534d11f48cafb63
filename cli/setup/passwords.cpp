#include "cli/setup/passwords.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <regex>
#include <set>
#include <span>
#include <stdexcept>

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

// With the new password of a role, until PostgreSQL has it: the role's file is written when one run
// of setup has done both.
std::string waiting_file_of(const Plan& plan, const std::string& role) {
  return file_of(plan, role) + ".waiting";
}

// Empty: there is no such file.
std::string password_in(const std::string& file, const std::string& role) {
  if (!exists(file)) return "";
  Settings of_role;
  of_role.database_password_file = file;
  return read_database_password(of_role, Program::admin, role);
}

// What a server says of a login.
struct Login {
  enum class End { in, no_password, wrong_password, not_let_in, failed };
  End end;
  std::string why = "";
};

// An error of libpq with the SQLSTATE, which tells what the text does not: that is translated.
// There may be two: with sslmode=prefer libpq tries it without TLS, too, and is not let in then.
Login refusal(const std::string& why) {
  static const std::regex kCode(":  ([0-9A-Z]{5}): "), kPlace(" LOCATION:  [^ ]+, [^ ]+:[0-9]+");
  std::set<std::string> codes;
  for (std::sregex_iterator each(why.begin(), why.end(), kCode), end; each != end; ++each) {
    codes.insert((*each)[1]);
  }
  const auto end = codes.contains("28P01")                   ? Login::End::wrong_password
                   : codes == std::set<std::string>{"28000"} ? Login::End::not_let_in
                                                             : Login::End::failed;
  return {end, std::regex_replace(std::regex_replace(why, kPlace, ""), kCode, ":  ")};
}

// Logs in as the role with this password at the server of `admin`: a standby may lag behind it.
Login log_in(const Plan& plan, const std::string& admin, const std::string& role,
             const std::string& password) {
  const db::PgConnection::Options options(
      {.conninfo = db::conninfo_with(
           admin,
           {{"dbname", plan.database_name()}, {"user", role}, {"password", ""}, {"passfile", ""}}),
       .program = "postern setup",
       .prepare = false,
       .session = db::command_session(),
       .password = password,
       .primary = plan.context->primary(),
       .codes = true});
  try {
    db::PgConnection::connect(options);
    return {Login::End::in};
  } catch (const db::PgError& error) {
    return refusal(error.what());
  }
}

// Those whose password nobody can be using: this run made them, or an earlier one was interrupted
// while it gave them their first one, or they have none, as a superuser sees.
std::vector<std::string> free_roles(const Plan& plan) {
  auto maintenance = plan.maintenance();
  auto admin = maintenance ? std::move(*maintenance) : plan.connect();
  auto out = db::missing_roles(admin);  // those that a dry run would make
  out.insert(out.end(), plan.made_roles.begin(), plan.made_roles.end());
  for (const char* role : db::kLoginRoles) {
    if (exists(waiting_file_of(plan, role)) && !exists(file_of(plan, role))) out.emplace_back(role);
  }
  if (!admin.exec({"", "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')"})
           .boolean(0, 0)) {
    return out;
  }
  const auto rows = admin.exec({"", "SELECT rolname FROM pg_authid WHERE rolpassword IS NULL"});
  for (int row = 0; row < rows.rows(); ++row) out.emplace_back(rows.text(row, 0));
  return out;
}

// What is to be done for the roles.
struct Work {
  std::vector<std::string> give;   // a password: nobody can be using one of theirs
  std::vector<std::string> adopt;  // the password in their waiting file, which PostgreSQL has
  std::string untried;             // of whom it is not known whether their file fits, as sentences
};

[[noreturn]] void throw_untried(const std::string& role, const Login& login) {
  throw std::runtime_error(
      fmt::format("{} cannot log in, and its password is not why: {}", role, login.why));
}

// One that --new-passwords has given to PostgreSQL, and was interrupted before its file had it.
bool waiting_fits(const Plan& plan, const std::string& admin, const std::string& role) {
  const auto password = password_in(waiting_file_of(plan, role), role);
  if (password.empty()) return false;
  const auto login = log_in(plan, admin, role, password);
  if (login.end == Login::End::failed) throw_untried(role, login);
  return login.end == Login::End::in;
}

// Throws std::runtime_error where giving a role another password would lock out who uses the one it
// has, and where it cannot be seen whether its file fits.
Work work(const Plan& plan) {
  if (plan.new_passwords) return {{db::kLoginRoles.begin(), db::kLoginRoles.end()}, {}, ""};
  const bool there = plan.database_exists();
  const auto admin = there ? plan.connect().options().conninfo : "";
  std::optional<std::vector<std::string>> all_free;
  Work out;
  std::string taken;
  for (const std::string role : db::kLoginRoles) {
    const auto password = stored_password(plan, role);
    const auto login = password.empty() ? Login{Login::End::no_password}
                       : there          ? log_in(plan, admin, role, password)
                                        : Login{Login::End::in};
    if (login.end == Login::End::in) continue;
    if (!all_free) all_free = free_roles(plan);
    if (std::find(all_free->begin(), all_free->end(), role) != all_free->end()) {
      out.give.push_back(role);
      continue;
    }
    switch (login.end) {
      case Login::End::in: break;
      case Login::End::not_let_in:
        out.untried += fmt::format(
            "\n    {} is not let in from here, which is well if nothing here logs in as it; so "
            "its password is not tried: {}",
            role, login.why);
        break;
      case Login::End::failed: throw_untried(role, login);
      case Login::End::wrong_password:
        if (waiting_fits(plan, admin, role)) {
          out.adopt.push_back(role);
        } else if (taken.empty()) {
          taken = fmt::format("{} cannot log in with the password in {}: {}. ", role,
                              file_of(plan, role), login.why);
        }
        break;
      case Login::End::no_password:
        if (!taken.empty()) break;
        taken = fmt::format("{} is on that server already, and its password is not in {}. ", role,
                            plan.credentials());
    }
  }
  if (taken.empty()) return out;
  throw std::runtime_error(fmt::format(
      "{}Copy that folder from the host that was set up first. Where there is none, "
      "--new-passwords makes new ones for all roles, and those that other hosts have are void",
      taken));
}

void set_password(db::PgConnection& admin, const std::string& role, const std::string& password) {
  std::array<std::uint8_t, 16> salt{};
  random_bytes(salt);
  admin.script(fmt::format(
      "ALTER ROLE {} PASSWORD '{}'", role,
      scram_verifier(password, {reinterpret_cast<const char*>(salt.data()), salt.size()})));
}

// The file first, since one may not be written for want of room; and under its name when PostgreSQL
// has the password: until then the next run makes another, or takes it if PostgreSQL has it.
void make_password(const Plan& plan, db::PgConnection& admin, const std::string& role) {
  const auto password = random_base62(40);
  const auto waiting = waiting_file_of(plan, role);
  const auto earlier = read_file(waiting);
  write_file(waiting, password + "\n", 0600);
  const auto take_back = [&] {
    if (earlier) return write_file(waiting, *earlier, 0600);
    std::filesystem::remove(waiting);
  };
  try {
    set_password(admin, role, password);
  } catch (const db::PgError& error) {
    if (!error.leaves_commit_unsure()) take_back();  // else the file may be all that has it
    throw;
  } catch (...) {
    take_back();
    throw;
  }
  std::filesystem::rename(waiting, file_of(plan, role));
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
  return password_in(file_of(plan, role), role);
}

Step passwords(Plan& plan) {
  return {
      "passwords",
      [&plan] {
        const auto found = work(plan);
        if (found.give.empty() && found.adopt.empty()) {
          return done("in " + plan.credentials() + found.untried);
        }
        std::vector<std::string> texts;
        if (!found.give.empty()) {
          texts.push_back(
              fmt::format("give {} {}, in files of root's in {}", fmt::join(found.give, ", "),
                          plan.new_passwords ? "new ones" : "random ones where there are none",
                          plan.credentials()));
        }
        if (!found.adopt.empty()) {
          texts.push_back(fmt::format("put those in place that an interrupted run has given to {}",
                                      fmt::join(found.adopt, ", ")));
        }
        return open(fmt::format("{}{}", fmt::join(texts, "; "), found.untried));
      },
      [&plan] {
        auto admin = plan.connect();
        std::filesystem::create_directories(plan.credentials());
        chmod(plan.credentials().c_str(), 0700);
        const auto found = work(plan);
        for (const auto& role : found.adopt) {
          std::filesystem::rename(waiting_file_of(plan, role), file_of(plan, role));
        }
        std::size_t made = 0, set = 0;
        for (const auto& role : found.give) {
          if (!plan.new_passwords && exists(file_of(plan, role))) {
            set_password(admin, role, stored_password(plan, role));
            ++set;
          } else {
            make_password(plan, admin, role);
            ++made;
          }
        }
        if (plan.new_passwords || !found.adopt.empty()) {
          plan.to_do.push_back(fmt::format(
              "copy {} to the other hosts, and have the programs of all take the new passwords: "
              "{}",
              plan.credentials(), kRestart));
        }
        return fmt::format(
            "made {}, in {}{}{}{}", made, plan.credentials(),
            set == 0 ? "" : fmt::format("; gave PostgreSQL {} from there", set),
            found.adopt.empty()
                ? ""
                : fmt::format("; put {} of an interrupted run in place", found.adopt.size()),
            found.untried);
      },
      "remove the files " + plan.credentials() +
          "/database-password.*, and ALTER ROLE ... "
          "PASSWORD NULL"};
}

}  // namespace postern::admin::setup
