// `postern`, the operator's command.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command/commands.h"
#include "cli/command/ending.h"
#include "cli/suggest.h"

namespace postern::admin {
namespace {

constexpr std::string_view kByApi[] = {"task",     "queue", "endpoint", "schedule", "stats",
                                       "failures", "info",  "health",   "whoami",   "policy",
                                       "top",      "check", "key",      "tenant"};
constexpr std::string_view kByNothing[] = {"verify", "listen"};

bool is_one_of(std::string_view word, const auto& words) {
  return std::ranges::find(words, word) != std::end(words);
}

// What can be done stands before the settings, which are many.
class Help : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
    return make_description(app) + make_usage(app, name) + make_positionals(app) +
           make_subcommands(app, mode) + make_groups(app, mode) + '\n' + make_footer(app);
  }
};

void add_output(CLI::App& app, Context& context) {
  app.add_flag("--json", context.json, "print JSON, for programs: the API's own");
  app.add_flag("--wide", context.wide, "tables with all columns, not cut to the terminal's width");
  app.add_flag("--yes", context.yes, "do not ask before many tasks are changed");
}

void add_remote(CLI::App& app, Context& context) {
  app.add_option("--url", context.url,
                 "the API's address, such as https://tasks.example, instead of the host's database")
      ->option_text("URL [$POSTERN_URL]");
  app.add_option("--key", context.key, "an API key for it; others on the host can see it here")
      ->option_text("KEY [$POSTERN_KEY]");
  app.add_option("--key-file", context.key_file, "a file whose first line is the key")
      ->option_text("FILE");
  app.add_option("--ca-file", context.ca_file, "certificates of authorities to trust, in PEM")
      ->option_text("FILE [the system's]");
}

// By --url nothing of the host's is read: neither its file of settings nor their environment.
void leave_settings(CLI::App& app) {
  app.set_config();
  for (auto* option : app.get_options()) option->envname("");
}

// Where the command finds what it works on.
void choose_place(CLI::App& app, Context& context, const Words& words, int argc, char** argv) {
  const bool said = std::any_of(argv + 1, argv + argc, [](const std::string_view word) {
    return word == "--url" || word.starts_with("--url=");
  });
  if (!is_one_of(words.noun, kByApi)) {
    if (said && words.knows_noun && !is_one_of(words.noun, kByNothing)) {
      throw UsageError(fmt::format(
          "--url: `postern {}` works on the host's database, not by the API", words.noun));
    }
    return;
  }
  const char* url = std::getenv("POSTERN_URL");
  if (!said && (url == nullptr || *url == '\0')) return;
  if (!said) context.url = url;
  context.url_said = said;
  leave_settings(app);
}

int usage(const Context& context, const std::string& sentence) {
  if (context.json) print_error("invalid_argument", sentence);
  fmt::print(stderr, "postern: {}\n", sentence);
  return kUsage;
}

int parse(CLI::App& app, Context& context, int argc, char** argv) {
  const auto wants = [&](const char* flag) {
    return std::any_of(argv + 1, argv + argc,
                       [&](const std::string_view word) { return word == flag; });
  };
  context.json = wants("--json");
  try {
    const Words words = look_at(app, argc, argv);
    const bool explains =
        wants("--help") || wants("-h") || wants("--version") || wants("--check-config");
    if (!words.unknown.empty() && !explains) return usage(context, words.unknown);
    choose_place(app, context, words, argc, argv);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return usage(context, error.what());
  } catch (const Exit& end) {
    return end.code;
  } catch (const UsageError& error) {
    return usage(context, error.what());
  }
}

}  // namespace

}  // namespace postern::admin

int main(int argc, char** argv) {
  using namespace postern;
  admin::Context context;
  CLI::App app{"postern: the operator's command of the HTTP task queue Postern", "postern"};
  app.formatter(std::make_shared<admin::Help>());
  app.require_subcommand(1);
  app.fallthrough();
  add_settings(app, context.settings, Program::admin);
  app.parse_complete_callback([&app, &context] {
    const auto* config = app.get_config_ptr();
    if (config != nullptr) context.settings_file = config->as<std::string>();
  });
  admin::add_output(app, context);
  admin::add_remote(app, context);
  admin::Command command(app);
  admin::add_task(command, context);
  admin::add_queue(command, context);
  admin::add_endpoint(command, context);
  admin::add_schedule(command, context);
  admin::add_numbers(command, context);
  admin::add_server(command, context);
  admin::add_top(command, context);
  admin::add_setup(command, context);
  admin::add_migrate(command, context);
  admin::add_key(command, context);
  admin::add_tenant(command, context);
  admin::add_secret(command, context);
  admin::add_pause(command, context);
  admin::add_doctor(command, context);
  admin::add_check(command, context);
  admin::add_cell(command, context);
  admin::add_verify(command, context);
  admin::add_listen(command, context);
  admin::add_manual(app);
  app.footer(app.get_footer() +
             "\n\nExit codes: 0 done; 1 not done, or not all of it; 2 the command line is wrong, "
             "or what it "
             "asks for is.");
  try {
    return admin::parse(app, context, argc, argv);
  } catch (const db::PgError& error) {
    const auto sentence = fmt::format("the database refused: {}", error.what());
    if (context.json) admin::print_error("not_done", sentence);
    admin::complain(sentence);
  } catch (const std::exception& error) {
    if (context.json) admin::print_error("not_done", error.what());
    admin::complain(error.what());
  }
  return admin::kNotDone;
}
