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

using db::health::Checks;
using db::health::Diagnosis;
using db::health::Grade;

// In the order in which they are shown.
Checks all_checks(const Context& context) {
  Checks out;
  for (auto& some :
       {db::health::server_checks(), connection_checks(context), db::health::schema_checks(),
        db::health::engine_checks(), db::health::delivery_checks(), host_checks(context),
        db::health::upkeep_checks()}) {
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

void run(const Context& context) {
  auto connection = context.connect(false);
  db::health::Patient patient(connection);
  bool wrong = false;
  std::vector<std::vector<std::string>> rows{{"connection", "ok", "established", ""}};
  for (const auto& check : all_checks(context)) {
    Diagnosis verdict{Grade::ok, "", ""};
    try {
      verdict = check.run(patient);
    } catch (const std::exception& error) {
      verdict = {Grade::wrong, fmt::format("could not be checked: {}", error.what()),
                 "run the doctor as postern_operator or postern_migrator, on a migrated database"};
    }
    wrong = wrong || verdict.grade == Grade::wrong;
    rows.push_back({check.name, verdict.grade == Grade::wrong ? "WRONG" : word(verdict.grade),
                    verdict.finding, verdict.grade == Grade::ok ? "" : verdict.hint});
  }
  print_table({"check", "verdict", "finding", "hint"}, rows, context.json);
  if (wrong) std::exit(1);
}

}  // namespace
}  // namespace doctor

void add_doctor(Command& app, Context& context) {
  Command command =
      app.add("doctor", "Look for what is wrong; exit 1 when something is, warnings do not count");
  command.run([&context] { doctor::run(context); });
}

}  // namespace postern::admin
