// Completions for bash and zsh. Both shells get the same tables: for each command what may follow
// it, and what may follow an option.
#include <algorithm>

#include <fmt/format.h>

#include "cli/manual/manual.h"

namespace postern::admin {
namespace {

// `text` in single quotes, as both shells read it.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string joined(const std::vector<std::string>& parts, const char* by) {
  return fmt::format("{}", fmt::join(parts, by));
}

bool names_a_file(const ManualOption& option) {
  return option.value.starts_with("FILE") || option.names.back() == "--config" ||
         option.names.back().ends_with("-file") || option.names.back() == "--file";
}

// Calls `see` with each command and all options that it takes, those of the commands above
// included.
template <class See>
void walk(const ManualCommand& command, std::vector<ManualOption> above, const See& see) {
  above.insert(above.begin(), command.options.begin(), command.options.end());
  see(command, above);
  for (const ManualCommand& below : command.commands) walk(below, above, see);
}

std::vector<std::string> names_of(const std::vector<ManualOption>& options) {
  std::vector<std::string> names;
  for (const ManualOption& option : options) {
    for (const std::string& name : option.names) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

// The options that take a value, by what may stand there, as arms of a `case`.
std::string value_arms(const std::vector<ManualOption>& options) {
  std::vector<std::string> anything, files;
  std::string arms;
  for (const ManualOption& option : options) {
    if (!option.takes_value) continue;
    if (!option.words.empty()) {
      arms += fmt::format("        {}) kind=words values={} ;;\n", joined(option.names, "|"),
                          quoted(joined(option.words, " ")));
      continue;
    }
    for (const std::string& name : option.names) {
      (names_a_file(option) ? files : anything).push_back(name);
    }
  }
  if (!files.empty()) arms += fmt::format("        {}) kind=file ;;\n", joined(files, "|"));
  if (!anything.empty()) arms += fmt::format("        {}) kind=any ;;\n", joined(anything, "|"));
  return arms;
}

std::vector<std::string> names_of(const std::vector<ManualCommand>& commands) {
  std::vector<std::string> names;
  for (const ManualCommand& command : commands) names.push_back(command.name);
  return names;
}

// What both scripts ask: `kind` and `values` of an option's value, `commands` and `options` of a
// command, and with `described` what to say of each, for zsh.
std::string tables(const std::vector<ManualCommand>& programs, bool described) {
  std::string out =
      "# What follows the option $2 of the command $1: $kind is words, file, any, or empty without "
      "a value.\n_postern_value() {\n  kind='' values=''\n  case $1 in\n";
  for (const auto& program : programs) {
    walk(program, {}, [&](const ManualCommand& command, const auto& options) {
      if (const std::string arms = value_arms(options); !arms.empty()) {
        out +=
            fmt::format("    {})\n      case $2 in\n{}      esac ;;\n", quoted(command.path), arms);
      }
    });
  }
  out += "  esac\n}\n\n# What the command $1 takes.\n_postern_command() {\n  case $1 in\n";
  for (const auto& program : programs) {
    walk(program, {}, [&](const ManualCommand& command, const auto& options) {
      out +=
          fmt::format("    {})\n      commands=({})\n      options=({}) ;;\n", quoted(command.path),
                      joined(names_of(command.commands), " "), joined(names_of(options), " "));
    });
  }
  out += "    *) commands=() options=() ;;\n  esac\n}\n\n";
  if (!described) return out;
  out += "# What the command $1 and its options are for.\n_postern_said() {\n  case $1 in\n";
  for (const auto& program : programs) {
    walk(program, {}, [&](const ManualCommand& command, const auto& options) {
      std::vector<std::string> said;
      const auto say = [&](const std::string& name, const std::string& help) {
        said.push_back(quoted(fmt::format("{}:{}", name, help)));
      };
      for (const ManualCommand& below : command.commands) say(below.name, below.help);
      for (const ManualOption& option : options) {
        for (const std::string& name : option.names) say(name, option.help);
      }
      out += fmt::format("    {})\n      said=({}) ;;\n", quoted(command.path),
                         joined(said, "\n            "));
    });
  }
  return out + "  esac\n}\n\n";
}

constexpr char kBash[] = R"sh(_postern() {
  local current=${COMP_WORDS[COMP_CWORD]} at=${COMP_WORDS[0]##*/} last='' kind='' values='' index word
  local -a commands options
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    [[ $word == = ]] && continue  # readline splits --queue=NAME
    if [[ -n $last ]]; then last='' && continue; fi
    _postern_command "$at"
    if [[ $word == -* ]]; then
      _postern_value "$at" "$word"
      [[ -n $kind ]] && last=$word
    elif [[ " ${commands[*]} " == *" $word "* ]]; then
      at+=" $word"
    fi
  done
  [[ $current == = ]] && current=''
  if [[ -n $last ]]; then
    _postern_value "$at" "$last"
    case $kind in
      words) mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current") ;;
      file) compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
    return
  fi
  _postern_command "$at"
  if [[ $current == -* || ${#commands[@]} -eq 0 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${options[*]}" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "${commands[*]}" -- "$current")
  fi
}
)sh";

constexpr char kZsh[] = R"sh(_postern() {
  local at=${words[1]:t} last='' kind='' values='' word
  local -a commands options said matching
  for word in ${words[2,CURRENT-1]}; do
    if [[ -n $last ]]; then last='' && continue; fi
    _postern_command "$at"
    if [[ $word == -*=* ]]; then
      continue
    elif [[ $word == -* ]]; then
      _postern_value "$at" "$word"
      [[ -n $kind ]] && last=$word
    elif (( ${commands[(Ie)$word]} )); then
      at+=" $word"
    fi
  done
  if [[ -n $last ]]; then
    _postern_value "$at" "$last"
    case $kind in
      words) compadd -- ${=values} ;;
      file) _files ;;
      *) _message value ;;
    esac
    return
  fi
  _postern_command "$at"
  _postern_said "$at"
  if [[ $PREFIX == -* || ${#commands} -eq 0 ]]; then
    matching=(${(M)said:#-*})
    _describe option matching
  else
    matching=(${said:#-*})
    _describe command matching
  fi
}

_postern "$@"
)sh";

}  // namespace

std::string bash_completion(const std::vector<ManualCommand>& programs) {
  return fmt::format(
      "# Completion of {} for bash, made from their command lines.\n\n{}{}\n"
      "complete -F _postern {}\n",
      joined(names_of(programs), ", "), tables(programs, false), kBash,
      joined(names_of(programs), " "));
}

std::string zsh_completion(const std::vector<ManualCommand>& programs) {
  return fmt::format("#compdef {}\n# Made from their command lines.\n\n{}{}",
                     joined(names_of(programs), " "), tables(programs, true), kZsh);
}

}  // namespace postern::admin
