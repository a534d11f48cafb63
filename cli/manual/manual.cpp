// `postern manual DIR`, which the build calls: writes man pages and completions. It walks the
// command line itself, so it knows CLI11.
#include "cli/manual/manual.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command/commands.h"
#include "core/program/settings.h"

namespace postern::admin {
namespace {

// The words of a value that must be one of some: CLI11 shows them as "TEXT:{debug,info}".
std::vector<std::string> words_of(const std::string& type) {
  const std::size_t open = type.find('{'), close = type.find('}', open);
  if (open == type.npos || close == type.npos) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

ManualOption read_option(const CLI::Option& option) {
  ManualOption out;
  if (option.nonpositional()) {
    for (const auto& name : option.get_snames()) out.names.push_back("-" + name);
    for (const auto& name : option.get_lnames()) out.names.push_back("--" + name);
  } else {
    out.names = {option.get_name(true)};
  }
  out.takes_value = option.get_expected_max() > 0 && option.get_type_size() > 0;
  out.value = CLI::detail::trim_copy(CLI::Formatter().make_option_opts(&option));
  out.words = words_of(option.get_type_name());
  out.help = option.get_description();
  return out;
}

ManualCommand read_command(const CLI::App& app, const std::string& above) {
  ManualCommand out;
  out.name = app.get_name();
  out.path = above.empty() ? out.name : above + " " + out.name;
  out.help = app.get_description();
  // A command takes over the footer above it.
  const CLI::App* parent = app.get_parent();
  if (parent == nullptr || app.get_footer() != parent->get_footer()) out.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    (option->nonpositional() ? out.options : out.positionals).push_back(read_option(*option));
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) out.commands.push_back(read_command(*command, out.path));
  }
  return out;
}

// The settings of the three programs, whose flags are in `programs`.
std::vector<ManualSetting> read_settings_table(const std::vector<const CLI::App*>& programs) {
  std::vector<ManualSetting> out;
  for (const Setting& setting : all_settings()) {
    ManualSetting row;
    row.name = setting.name;
    row.value = setting.placeholder == nullptr ? "true|false" : setting.placeholder;
    row.expected = setting.expected;
    row.fallback = setting.fallback;
    row.meaning = setting.meaning;
    std::string flag = "--" + row.name;
    std::ranges::replace(flag, '_', '-');
    for (const CLI::App* program : programs) {
      const CLI::Option* option = program->get_option_no_throw(flag);
      // A flag of the command itself, as its --ca-file, is no setting: it has no environment name.
      if (option == nullptr || option->get_envname().empty()) continue;
      row.environment = option->get_envname();
      row.programs.push_back(program->get_name());
    }
    out.push_back(std::move(row));
  }
  return out;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw std::runtime_error(fmt::format("{} cannot be written", path.string()));
}

constexpr char kFcgi[] =
    "The handlers of Postern's HTTP API. nginx hands requests over by FastCGI; each becomes a row "
    "in "
    "PostgreSQL or an answer from there. Without --listen the socket is file descriptor 0, as "
    "postern-fcgi.socket gives it. SIGTERM ends it when the requests under way are answered.";
constexpr char kScheduler[] =
    "Takes due tasks from PostgreSQL and calls their webhooks. Any number of schedulers share the "
    "work; each needs a name of its own. SIGTERM ends it when the calls under way have ended, or "
    "after "
    "drain_timeout.";

void write_manual(const CLI::App& app, const std::filesystem::path& folder) {
  Settings unused;
  CLI::App fcgi{"", "postern-fcgi"}, scheduler{"", "postern-scheduler"};
  add_settings(fcgi, unused, Program::fcgi);
  add_settings(scheduler, unused, Program::scheduler);
  const std::vector<ManualCommand> programs{read_command(app, ""), read_command(fcgi, ""),
                                            read_command(scheduler, "")};
  std::filesystem::create_directories(folder);
  write_file(folder / "postern.1", command_page(programs[0]));
  write_file(folder / "postern-fcgi.8",
             daemon_page(programs[1], "HTTP handlers of the task queue Postern", kFcgi));
  write_file(folder / "postern-scheduler.8",
             daemon_page(programs[2], "webhooks of the task queue Postern", kScheduler));
  write_file(folder / "postern.conf.5",
             settings_page(read_settings_table({&fcgi, &scheduler, &app})));
  write_file(folder / "postern.bash", bash_completion(programs));
  write_file(folder / "_postern", zsh_completion(programs));
}

}  // namespace

void add_manual(CLI::App& app) {
  CLI::App* command = app.add_subcommand("manual", "Write man pages and completions to a folder");
  command->group("");  // for the build, not for people
  const auto folder = std::make_shared<std::string>();
  command->add_option("folder", *folder)->required();
  command->callback([&app, folder] { write_manual(app, *folder); });
}

}  // namespace postern::admin
