#include "core/program/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <istream>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "core/base/text.h"
#include "core/program/database_password.h"
#include "core/program/jwt_policy.h"
#include "core/program/settings.h"

namespace postern {
namespace {

bool is_used_by(const Setting& setting, Program program) {
  switch (setting.users) {
    case Users::all: return true;
    case Users::daemons: return program != Program::admin;
    case Users::fcgi: return program == Program::fcgi;
    case Users::fcgi_and_command: return program == Program::fcgi || program == Program::admin;
    case Users::scheduler: return program == Program::scheduler;
  }
  return false;
}

const char* name(Program program) {
  switch (program) {
    case Program::admin: return "postern";
    case Program::fcgi: return "postern-fcgi";
    case Program::scheduler: return "postern-scheduler";
  }
  return "";
}

std::string replaced(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

std::string flag_name(const Setting& setting) { return "--" + replaced(setting.name, '_', '-'); }

std::string environment_name(const Setting& setting) {
  std::string out = setting.name;
  for (char& c : out) c = c == '_' ? c : static_cast<char>(c - 'a' + 'A');
  return "POSTERN_" + out;
}

// Ends CLI11's parsing with `sentence`. Not by a ValidationError, because CLI11 would put the flag
// in front of the sentence.
[[noreturn]] void stop(const std::string& sentence) {
  throw CLI::ParseError(sentence, CLI::ExitCodes::ValidationError);
}

std::string wrong_value(const Setting& setting, const std::string& value) {
  return fmt::format("{} = \"{}\" is wrong: it must be {}.", setting.name, value, setting.expected);
}

void set(Settings& settings, const Setting& setting, const std::string& value) {
  if (!setting.set(settings, value)) stop(wrong_value(setting, value));
}

// Checks settings that are wrong only in combination.
void check_together(const Settings& settings) {
  if (const auto sentence = settings_conflict(settings)) stop(*sentence);
}

// Checks what the program reads at its start.
void check_files(const Settings& settings, Program program) {
  try {
    read_database_password(settings, program, "");
    if (program == Program::fcgi) read_jwt_policy(settings);
  } catch (const std::runtime_error& error) {
    stop(error.what());
  }
}

// The file of settings that is being read.
struct File {
  std::string name;
  std::string complaint;  // why it cannot be read; empty: it can, or there is none and need not be
};

// Why the file cannot be read; empty when it can, or is the default one and does not exist. CLI11
// passes over a default file that cannot be read, and looks at a named one only after
// --check-config has said that all is well.
std::string complaint_of(const std::string& name, bool is_named) {
  const int descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      return is_named ? fmt::format("The configuration file {}, named by --config, does not exist.",
                                    name)
                      : "";
    }
    return fmt::format(
        "The configuration file {} cannot be read ({}). Start this as a user who may read it, or "
        "name another file with --config (/dev/null: none).",
        name, std::generic_category().message(error));
  }
  struct stat found {};
  const bool is_folder = ::fstat(descriptor, &found) == 0 && S_ISDIR(found.st_mode);
  ::close(descriptor);
  return is_folder ? fmt::format("The configuration file {} is a folder; it must be a file.", name)
                   : "";
}

// Reads "key = value" lines; "#" begins a comment line; a value may stand in double quotes. CLI11's
// own reader cuts values at '#' and splits them at spaces, which would break connection strings.
class FileReader : public CLI::Config {
 public:
  // `environment`: it wins.
  FileReader(Program program, std::shared_ptr<const File> file, bool environment)
      : program_(program), file_(std::move(file)), environment_(environment) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    std::vector<CLI::ConfigItem> found;
    int number = 0;
    for (std::string text; std::getline(in, text);) {
      ++number;
      const std::string_view line = trimmed(text);
      if (line.empty() || line.starts_with('#')) continue;
      const std::size_t equals = line.find('=');
      const std::string key = replaced(std::string(trimmed(line.substr(0, equals))), '-', '_');
      const auto settings = all_settings();
      const auto setting = std::find_if(settings.begin(), settings.end(),
                                        [&](const Setting& each) { return each.name == key; });
      if (setting == settings.end()) {
        stop_at(number, fmt::format("there is no setting \"{}\".", key));
      }
      if (equals == line.npos) stop_at(number, fmt::format("it must be {} = VALUE.", key));
      // The environment wins over the file; CLI11's own order is the reverse.
      const char* environment =
          environment_ ? std::getenv(environment_name(*setting).c_str()) : nullptr;
      if (!is_used_by(*setting, program_) || (environment != nullptr && *environment != '\0')) {
        continue;
      }
      std::string_view value = trimmed(line.substr(equals + 1));
      if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
        value = value.substr(1, value.size() - 2);
      }
      // Tried here, where the line is known.
      Settings tried;
      if (!setting->set(tried, std::string(value))) {
        stop_at(number, wrong_value(*setting, std::string(value)));
      }
      const auto repeated = [&](const CLI::ConfigItem& item) {
        return "--" + item.name == flag_name(*setting);
      };
      if (std::any_of(found.begin(), found.end(), repeated)) {
        stop_at(number, fmt::format("{} is given twice.", key));
      }
      CLI::ConfigItem item;
      item.name = replaced(key, '_', '-');
      item.inputs = {std::string(value)};
      found.push_back(std::move(item));
    }
    if (in.bad()) stop(fmt::format("The configuration file {} cannot be read.", file_->name));
    return found;
  }

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

 private:
  [[noreturn]] void stop_at(int line, const std::string& sentence) const {
    stop(fmt::format("{}, line {}: {}", file_->name, line, sentence));
  }

  Program program_;
  std::shared_ptr<const File> file_;
  bool environment_;
};

}  // namespace

void add_settings(CLI::App& app, Settings& settings, Program program) {
  app.set_version_flag("--version", fmt::format("{} {}", name(program), POSTERN_VERSION))
      ->trigger_on_parse();  // works even when a setting is wrong
  const auto file = std::make_shared<File>();
  app.config_formatter(std::make_shared<FileReader>(program, file, true));
  CLI::Option* const config =
      app.set_config("--config", kSettingsFile, "a file of settings, one \"name = value\" a line");
  config->option_text(fmt::format("FILE [{}]", kSettingsFile));
  // A FileError waits until --help has had its turn, since help needs no settings. CLI11 checks the
  // value a second time before that.
  config->check([file, config](const std::string& path) {
    const bool told = !file->complaint.empty();
    file->name = path;
    file->complaint = complaint_of(path, config->count() > 0);
    if (!told && !file->complaint.empty()) throw CLI::FileError(file->complaint);
    return std::string();
  });

  for (const Setting& setting : all_settings()) {
    if (!is_used_by(setting, program)) continue;
    const auto read = [&settings, &setting](const std::string& value) {
      set(settings, setting, value);
    };
    CLI::Option* option =
        setting.placeholder == nullptr
            ? app.add_flag(flag_name(setting), setting.meaning)->each(read)
            : app.add_option_function<std::string>(flag_name(setting), read, setting.meaning);
    if (setting.is_list) option->join(',');
    option->default_str(setting.fallback)->envname(environment_name(setting));
    std::string usage = setting.placeholder == nullptr ? "" : setting.placeholder;
    if (*setting.fallback != '\0') {
      usage += fmt::format("{}[{}]", usage.empty() ? "" : " ", setting.fallback);
    }
    option->option_text(usage);
  }
  app.footer(
      "In [brackets]: the default. A DURATION is written 30s, 5m, 1h30m, 7d or as a number of "
      "seconds.\nEach setting can also come from the environment, as POSTERN_LOG_LEVEL for "
      "--log-level, or from the\nfile, as log_level = info; the flag wins over the environment, "
      "which wins over the file.");

  // Last, so that every value has been read when it runs.
  app.add_flag_callback(
      "--check-config",
      [&settings, program, file] {
        if (!file->complaint.empty()) stop(file->complaint);
        check_together(settings);
        check_files(settings, program);
        throw CLI::CallForVersion("ok", CLI::ExitCodes::Success);
      },
      "check the settings and the files they name, print \"ok\" and exit");
}

Settings read_settings(Program program, int argc, char** argv) {
  Settings settings;
  CLI::App app;
  app.name(name(program));
  add_settings(app, settings, program);
  try {
    app.parse(argc, argv);
    check_together(settings);
  } catch (const CLI::Success& asked) {
    std::exit(app.exit(asked));
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}: {}\n", name(program), error.what());
    std::exit(2);
  }
  return settings;
}

Settings read_settings_file(Program program, const std::string& file,
                            std::set<std::string, std::less<>>* said) {
  Settings settings;
  const auto read = std::make_shared<const File>(File{file, complaint_of(file, false)});
  if (!read->complaint.empty()) throw std::runtime_error(read->complaint);
  std::ifstream in(file);
  if (!in) throw std::runtime_error(fmt::format("The configuration file {} does not exist.", file));
  try {
    for (const auto& item : FileReader(program, read, false).from_config(in)) {
      const std::string key = replaced(item.name, '-', '_');
      for (const Setting& setting : all_settings()) {
        if (setting.name == key) set(settings, setting, item.inputs.at(0));
      }
      if (said != nullptr) said->insert(key);
    }
    check_together(settings);
  } catch (const CLI::ParseError& error) {
    throw std::runtime_error(error.what());
  }
  return settings;
}

}  // namespace postern
