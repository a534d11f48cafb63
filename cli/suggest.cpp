#include "cli/suggest.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "cli/command/printable.h"

namespace postern::admin {
namespace {

// How many letters are to be put in, taken out, changed or swapped with the next.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) table[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) table[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      table[i][j] =
          std::min({table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
      }
    }
  }
  return table[a.size()][b.size()];
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto& each : known) {
    // A word that is the beginning of another is as good as two letters wrong.
    const bool begins = word.size() > 2 && each.starts_with(word);
    const auto far = begins ? std::min<std::size_t>(distance(word, each), 2) : distance(word, each);
    if (far < least) {
      least = far;
      best = each;
    }
  }
  return best;
}

std::string sentence(const std::string& what, const std::string& word, const std::string& command,
                     const std::string& meant) {
  return fmt::format(
      "there is no {} {} of `{}`{}", what, printable(word), command,
      meant.empty() ? "; --help shows them" : fmt::format(": did you mean {}?", meant));
}

std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
  for (const auto* each : subcommands_of(app)) {
    if (each->get_name() == name) return each;
  }
  return nullptr;
}

// Without those that are hidden.
std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> out;
  for (const auto* each : subcommands_of(app)) {
    if (!each->get_group().empty()) out.push_back(each->get_name());
  }
  return out;
}

// The option of a command or of those above it.
const CLI::Option* option_of(const CLI::App* app, const std::string& name) {
  for (; app != nullptr; app = app->get_parent()) {
    for (const auto* option : app->get_options()) {
      if (option->check_name(name)) return option;
    }
  }
  return nullptr;
}

std::vector<std::string> options_of(const CLI::App* app) {
  std::vector<std::string> out;
  for (; app != nullptr; app = app->get_parent()) {
    for (const auto* option : app->get_options()) {
      for (const auto& name : option->get_lnames()) out.push_back("--" + name);
    }
  }
  return out;
}

std::string whole_name(const CLI::App* app) {
  std::string out = app->get_name();
  for (app = app->get_parent(); app != nullptr; app = app->get_parent()) {
    out = app->get_name() + ' ' + out;
  }
  return out;
}

}  // namespace

Words look_at(const CLI::App& app, int argc, char** argv) {
  Words words;
  const CLI::App* at = &app;
  std::string unknown_option;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") break;
    if (word.starts_with('-') && word.size() > 1) {
      const auto equals = word.find('=');
      const auto* option = option_of(at, word.substr(0, equals));
      if (option == nullptr && word.starts_with("--") && unknown_option.empty()) {
        unknown_option = word.substr(0, equals);
      }
      const bool takes_value = option != nullptr && option->get_items_expected_max() > 0;
      if (takes_value && equals == word.npos) ++i;
      continue;
    }
    if (subcommands_of(*at).empty()) continue;  // an argument
    const CLI::App* command = find_command(*at, word);
    if (words.noun.empty()) {
      words.noun = word;
      words.knows_noun = command != nullptr;
    }
    if (command == nullptr) {
      words.unknown = sentence("command", word, whole_name(at), nearest(word, commands_of(*at)));
      return words;
    }
    at = command;
  }
  if (const auto commands = commands_of(*at); unknown_option.empty() && !commands.empty()) {
    words.unknown =
        fmt::format("`{}` needs a command: {}", whole_name(at), fmt::join(commands, ", "));
  }
  if (!unknown_option.empty()) {
    words.unknown =
        sentence("option", unknown_option, whole_name(at), nearest(unknown_option, options_of(at)));
  }
  return words;
}

}  // namespace postern::admin
