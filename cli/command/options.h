// The command line as the subcommands see it. Only options.cpp, main.cpp and manual.cpp include
// CLI11, whose templates take seconds to compile.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/time/time.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace postern::admin {

// An option of a command, for what is to be said of it beyond its name. Belongs to its command.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option& required();
  // The help shows the value that the variable had when this was called.
  Option& show_default();
  Option& excludes(const Option& other);
  Option& range(int least, int most);
  Option& one_of(const std::vector<std::string>& words);
  // Of a list: exactly one value.
  Option& single();
  // Of a list: each use of the option takes one value only.
  Option& one_value_each();

 private:
  CLI::Option* option_;
};

// A command, or one of its subcommands: a handle of what the CLI::App owns.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  // Adds a subcommand.
  Command add(const std::string& name, const std::string& help);
  // One of its subcommands must be given.
  void require_subcommand();
  // Text below the help.
  void footer(const std::string& text);
  // What the command does, once its options are read.
  void run(std::function<void()> action);

  // An option with a value ("--queue"), or a positional argument ("name"). `into` must outlive the
  // parsing; an option that is not given leaves it alone.
  Option option(const std::string& name, std::string& into, const std::string& help);
  Option option(const std::string& name, std::optional<std::string>& into, const std::string& help);
  Option option(const std::string& name, std::vector<std::string>& into, const std::string& help);
  Option option(const std::string& name, int& into, const std::string& help);
  Option option(const std::string& name, std::optional<int>& into, const std::string& help);
  Option option(const std::string& name, std::optional<std::int64_t>& into,
                const std::string& help);
  Option option(const std::string& name, std::optional<bool>& into, const std::string& help);
  // An option without a value.
  Option flag(const std::string& name, bool& into, const std::string& help);

 private:
  CLI::App* app_;
};

// A command that is a noun ("queue"), whose subcommands are verbs about a tenant's objects.
class Noun {
 public:
  // `tenant` is where each verb's --tenant goes; it must outlive the parsing.
  Noun(Command& app, std::string name, const std::string& help, std::optional<std::string>& tenant);

  // `example` is what follows the noun on a command line, for the help.
  Command verb(const std::string& name, const std::string& help, const std::string& example);

 private:
  std::string name_;
  Command command_;
  std::optional<std::string>& tenant_;
};

// Ends the parsing of the command line, and with it the command: exit code 2 and a sentence behind
// the option's name.
[[noreturn]] void refuse_option(const std::string& flag, const std::string& sentence);
// The value of an option that is a duration, such as "5m"; ends the parsing when it is none.
Seconds duration_option(const std::string& flag, const std::string& text);

}  // namespace postern::admin
