// What the programs' command lines hold, for man pages and completions: read from the same objects
// as --help, so that nothing is written down twice.
#pragma once

#include <string>
#include <vector>

namespace postern::admin {

struct ManualOption {
  std::vector<std::string> names;  // "-h", "--help"; of a positional argument its name
  std::string value;               // what --help shows behind the names; empty for a switch
  bool takes_value = false;
  std::vector<std::string> words;  // the values that it may have; empty: any
  std::string help;
};

struct ManualCommand {
  std::string name;  // of the last word alone
  std::string path;  // all words, as "postern task list"
  std::string help, footer;
  std::vector<ManualOption> options, positionals;
  std::vector<ManualCommand> commands;
};

// A key of postern.conf.
struct ManualSetting {
  std::string name, value, expected, fallback, meaning, environment;
  std::vector<std::string> programs;
};

// man_page.cpp: pages in roff.
std::string command_page(const ManualCommand& command);
std::string daemon_page(const ManualCommand& daemon, const std::string& purpose,
                        const std::string& text);
std::string settings_page(const std::vector<ManualSetting>& settings);

// completion.cpp: one script each for all programs.
std::string bash_completion(const std::vector<ManualCommand>& programs);
std::string zsh_completion(const std::vector<ManualCommand>& programs);

}  // namespace postern::admin
