// `postern doctor`: a list of checks, each with a verdict and, when there is something, a hint.
// Exit code 1 only when something is wrong; a warning is for people.
#include <fmt/format.h>

#include <cstdlib>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/doctor/check.h"
#include "cli/output/records.h"

namespace postern::admin {
namespace doctor {
namespace {

const char* word(Grade grade) {
  switch (grade) {
    case Grade::ok: return "ok";
    case Grade::warning: return "warning";
    case Grade::wrong: return "WRONG";
    case Grade::skipped: return "skipped";
  }
  return "";
}

std::vector<Check> all_checks() {
  std::vector<Check> out;
  for (const auto& of :
       {server_checks, schema_checks, delivery_checks, host_checks, upkeep_checks}) {
    for (auto& check : of()) out.push_back(std::move(check));
  }
  return out;
}

void run(const Context& context) {
  auto connection = context.connect(false);
  Patient patient(context, connection);
  bool wrong = false;
  std::vector<std::vector<std::string>> rows{{"connection", "ok", "established", ""}};
  for (const auto& check : all_checks()) {
    Verdict verdict{Grade::ok, "", ""};
    try {
      verdict = check.run(patient);
    } catch (const std::exception& error) {
      verdict = {Grade::wrong, fmt::format("could not be checked: {}", error.what()),
                 "run the doctor as postern_operator or postern_migrator, on a migrated database"};
    }
    wrong = wrong || verdict.grade == Grade::wrong;
    rows.push_back({check.name, word(verdict.grade), verdict.finding,
                    verdict.grade == Grade::ok ? "" : verdict.hint});
  }
  print_table({"check", "verdict", "finding", "hint"}, rows, context.json);
  if (wrong) std::exit(1);
}

}  // namespace

const db::Numbers& Patient::numbers() {
  if (!numbers_) numbers_ = db::numbers(connection, "");
  return *numbers_;
}

std::int64_t Patient::number(const char* sql) const {
  return connection.exec({"", sql}).integer_or_null(0, 0).value_or(0);
}

std::string Patient::text(const char* sql, const db::Params& params) const {
  return std::string(connection.exec({"", sql}, params).text(0, 0));
}

}  // namespace doctor

void add_doctor(Command& app, Context& context) {
  Command command =
      app.add("doctor", "Look for what is wrong; exit 1 when something is, warnings do not count");
  command.run([&context] { doctor::run(context); });
}

}  // namespace postern::admin
