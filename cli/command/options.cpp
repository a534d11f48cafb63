#include "cli/command/options.h"

#include <stdexcept>
#include <utility>

#include <CLI/CLI.hpp>

#include "core/program/config.h"

namespace postern::admin {

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::show_default() {
  option_->capture_default_str();
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::range(int least, int most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option& Option::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}

Option& Option::single() {
  option_->expected(1);
  return *this;
}

Option& Option::one_value_each() {
  option_->allow_extra_args(false);
  return *this;
}

Command Command::add(const std::string& name, const std::string& help) {
  return Command(*app_->add_subcommand(name, help));
}

void Command::require_subcommand() { app_->require_subcommand(1); }

void Command::footer(const std::string& text) { app_->footer(text); }

void Command::run(std::function<void()> action) { app_->callback(std::move(action)); }

Option Command::option(const std::string& name, std::string& into, const std::string& help) {
  return Option(app_->add_option(name, into, help));
}

Option Command::option(const std::string& name, std::optional<std::string>& into,
                       const std::string& help) {
  return Option(app_->add_option(name, into, help));
}

Option Command::option(const std::string& name, std::vector<std::string>& into,
                       const std::string& help) {
  return Option(app_->add_option(name, into, help));
}

Option Command::option(const std::string& name, int& into, const std::string& help) {
  return Option(app_->add_option(name, into, help));
}

Option Command::option(const std::string& name, std::optional<int>& into, const std::string& help) {
  return Option(app_->add_option(name, into, help));
}

Option Command::option(const std::string& name, std::optional<std::int64_t>& into,
                       const std::string& help) {
  return Option(app_->add_option(name, into, help));
}

Option Command::option(const std::string& name, std::optional<bool>& into,
                       const std::string& help) {
  return Option(app_->add_option(name, into, help));
}

Option Command::flag(const std::string& name, bool& into, const std::string& help) {
  return Option(app_->add_flag(name, into, help));
}

Noun::Noun(Command& app, std::string name, const std::string& help,
           std::optional<std::string>& tenant)
    : name_(std::move(name)), command_(app.add(name_, help)), tenant_(tenant) {
  command_.require_subcommand();
}

Command Noun::verb(const std::string& name, const std::string& help, const std::string& example) {
  Command verb = command_.add(name, help);
  verb.option("--tenant", tenant_, "whose, on the host's database; default unless said");
  verb.footer("Example: postern " + name_ + " " + example);
  return verb;
}

void refuse_option(const std::string& flag, const std::string& sentence) {
  throw CLI::ValidationError(flag, sentence);
}

Seconds duration_option(const std::string& flag, const std::string& text) try {
  return parse_setting_duration(text);
} catch (const std::invalid_argument& error) {
  refuse_option(flag, error.what());
}

}  // namespace postern::admin
