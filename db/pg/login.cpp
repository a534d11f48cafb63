#include "db/pg/login.h"

#include <libpq-fe.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "db/pg/error.h"

namespace postern::db {
namespace {

std::mutex& one_at_a_time() {
  static std::mutex mutex;
  return mutex;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// What a connection string says itself.
std::map<std::string, std::string> parsed(const std::string& conninfo) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(conninfo.c_str(), &error), PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> message(error, PQfreemem);
  if (!options) throw PgError(error == nullptr ? "out of memory" : error, "", true);
  std::map<std::string, std::string> out;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr && *option->val != '\0') out[option->keyword] = option->val;
  }
  return out;
}

}  // namespace

Target target_of(const std::string& conninfo) {
  const auto values = parsed(conninfo);
  const auto given = [&](const std::string& keyword, const char* variable) {
    const auto found = values.find(keyword);
    return found == values.end() ? environment(variable) : found->second;
  };
  const auto host = given("hostaddr", "PGHOSTADDR") + given("host", "PGHOST");
  auto user = given("user", "PGUSER");
  // A service's file may name one, and a host.
  if (user.empty() && !given("service", "PGSERVICE").empty()) user = "that of the service";
  return {user, host.empty() || host.starts_with('/') || host.starts_with('@')};
}

std::string conninfo_value(const std::string& conninfo, const std::string& keyword) {
  const auto values = parsed(conninfo);
  const auto found = values.find(keyword);
  return found == values.end() ? "" : found->second;
}

std::string conninfo_with(const std::string& conninfo,
                          const std::map<std::string, std::string>& changes) {
  auto values = parsed(conninfo);
  for (const auto& [keyword, value] : changes) values[keyword] = value;
  std::string out;
  for (const auto& [keyword, value] : values) {
    if (value.empty()) continue;
    out += (out.empty() ? "" : " ") + keyword + "=";
    // As people write it, where it needs no quotes.
    if (value.find_first_of(" '\\\t\n") == value.npos) {
      out += value;
      continue;
    }
    out += "'";
    for (const char c : value) {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    out += "'";
  }
  return out;
}

ActingAs::ActingAs(const std::string& role, const std::string& conninfo) {
  if (role.empty() || geteuid() != 0) return;
  const auto target = target_of(conninfo);
  if (!target.user.empty()) return;
  user = role;
  if (!target.local) return;
  std::array<char, 4096> text{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(role.c_str(), &entry, text.data(), text.size(), &found) != 0 || found == nullptr) {
    throw PgError(
        "started as root, this command connects to the local PostgreSQL as the system "
        "user " +
            role +
            ", and there is none. Make it with `systemd-sysusers`, as the "
            "package does, or name a role yourself: --database 'dbname=... user=...'",
        "", true);
  }
  one_at_a_time().lock();
  if (setegid(entry.pw_gid) != 0 || seteuid(entry.pw_uid) != 0) {
    const bool back = setegid(0) == 0;
    one_at_a_time().unlock();
    throw PgError("this process of root cannot act as " + role + (back ? "" : ", nor go back"), "",
                  true);
  }
  acting_ = true;
}

ActingAs::~ActingAs() {
  if (!acting_) return;
  // A process that cannot go back must not go on with less or more than it thinks it has.
  if (seteuid(0) != 0 || setegid(0) != 0) std::abort();
  one_at_a_time().unlock();
}

}  // namespace postern::db
