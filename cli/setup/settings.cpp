// The lines of postern.conf that setup owns: those of settings that it knows and that are not
// there.
#include <fmt/format.h>

#include <optional>
#include <stdexcept>

#include "cli/setup/files.h"
#include "cli/setup/step.h"
#include "core/base/text.h"
#include "db/pg/login.h"

namespace postern::admin::setup {
namespace {

struct Line {
  std::string name, value;
};

// The value of a setting in the file's text.
std::optional<std::string> value_in(const std::string& text, const std::string& name) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = trimmed(std::string_view(text).substr(at, end - at));
    at = end + 1;
    const auto equals = line.find('=');
    if (equals == line.npos || trimmed(line.substr(0, equals)) != name) continue;
    return std::string(trimmed(line.substr(equals + 1)));
  }
  return std::nullopt;
}

// The user and the password are each program's own.
std::string for_all(const std::string& conninfo) {
  const auto name = db::conninfo_value(conninfo, "dbname");
  return db::conninfo_with(conninfo, {{"dbname", name.empty() ? "postern" : name},
                                      {"user", ""},
                                      {"password", ""},
                                      {"passfile", ""},
                                      {"sslpassword", ""}});
}

// What the services need to know.
std::vector<Line> wanted(const Plan& plan) {
  std::vector<Line> out{{"database", for_all(plan.context->settings.database)}};
  if (!plan.public_url.empty()) out.push_back({"public_url", plan.public_url});
  return out;
}

std::vector<Line> missing(const Plan& plan) {
  const auto text = read_file(plan.conf()).value_or("");
  std::vector<Line> out;
  for (auto& line : wanted(plan)) {
    if (!value_in(text, line.name)) out.push_back(std::move(line));
  }
  return out;
}

std::string listed(const std::vector<Line>& lines) {
  std::string out;
  for (const auto& line : lines) {
    out += fmt::format("{}{} = {}", out.empty() ? "" : "; ", line.name, line.value);
  }
  return out;
}

}  // namespace

std::optional<std::string> other_database(const Plan& plan) {
  auto written = value_in(read_file(plan.conf()).value_or(""), "database");
  if (!written) return std::nullopt;
  if (written->size() > 1 && written->starts_with('"') && written->ends_with('"')) {
    written = written->substr(1, written->size() - 2);
  }
  const auto given = for_all(plan.context->settings.database);
  if (for_all(*written) == given) return std::nullopt;
  return fmt::format(
      "{} says `database = {}`, by which all programs go, and --database names another one, so "
      "nothing was done. If the programs are to use that, write `database = {}` there instead, run "
      "this again and start them anew; else leave --database out",
      plan.conf(), *written, given);
}

std::vector<Step> settings_steps(Plan& plan) {
  return {{"settings",
           [&plan] {
             const auto lines = missing(plan);
             if (!lines.empty()) return open(fmt::format("{}: {}", plan.conf(), listed(lines)));
             // What the administrator wrote stays, and is named where it differs.
             const auto text = read_file(plan.conf()).value_or("");
             std::string other;
             for (const auto& line : wanted(plan)) {
               const auto value = value_in(text, line.name);
               if (value != line.value && value != "\"" + line.value + "\"") {
                 other += fmt::format("; it says {} = {}, which stays, and not {}", line.name,
                                      *value, line.value);
               }
             }
             return done(plan.conf() + " has them" + other);
           },
           [&plan] {
             const auto lines = missing(plan);
             for (const auto& line : lines) {
               if (line.value.find_first_of("\r\n") == line.value.npos) continue;
               throw std::runtime_error(fmt::format(
                   "{}: its value has a line break, which {} cannot hold", line.name, plan.conf()));
             }
             auto text = read_file(plan.conf()).value_or("");
             if (!text.empty() && !text.ends_with('\n')) text += '\n';
             text += "# By `postern setup`:\n";
             for (const auto& line : lines) text += line.name + " = " + line.value + "\n";
             write_file(plan.conf(), text, 0644);
             return fmt::format("wrote into {}: {}", plan.conf(), listed(lines));
           },
           "take the lines below \"By `postern setup`\" out of " + plan.conf()}};
}

}  // namespace postern::admin::setup
