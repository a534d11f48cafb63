// Man pages in roff.
#include <algorithm>

#include <fmt/format.h>

#include "cli/manual/manual.h"
#include "core/base/utf8.h"

namespace postern::admin {
namespace {

// `text` as it is to be read: nothing in it is taken for a request or an escape, and each hyphen
// can be copied as one.
std::string roff(std::string_view text) {
  std::string out;
  bool line_begins = true;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
    const char c = text.front();
    if (length > 1) {
      out +=
          fmt::format("\\[u{:04X}]", static_cast<unsigned>(utf8_character(text.substr(0, length))));
    } else if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '^') {
      out += "\\(ha";
    } else if (c == '~') {
      out += "\\(ti";
    } else if (c == '.' && line_begins) {
      out += "\\&.";
    } else {
      out += c;
    }
    line_begins = c == '\n';
    text.remove_prefix(length);
  }
  return out;
}

std::string sentence(std::string text) {
  if (text.empty() || text.back() == '.') return text;
  return text + '.';
}

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

// `.nh` and `.ad l`: long option names do not fill lines well.
std::string head(const std::string& name, int section, const std::string& purpose) {
  return fmt::format(
      "'\\\" t\n.\\\" Made from the program's own tables, as --help is.\n"
      ".TH {0} {1} \"\" \"Postern {2}\" \"Postern\"\n.nh\n.ad l\n.SH NAME\n{0} \\- {3}\n",
      roff(name), section, POSTERN_VERSION, roff(purpose));
}

std::string options(const std::vector<ManualOption>& list) {
  std::string out;
  for (const ManualOption& option : list) {
    out += ".TP\n";
    for (const std::string& name : option.names) {
      out += fmt::format("{}\\fB{}\\fR", &name == &option.names.front() ? "" : ", ", roff(name));
    }
    if (!option.value.empty()) out += " " + roff(option.value);
    out += "\n" + (option.help.empty() ? "\\&" : roff(option.help)) + "\n";
  }
  return out;
}

// A text whose lines stay as they are, such as an example.
std::string as_it_is(const std::string& text) {
  return text.empty() ? "" : fmt::format(".PP\n.nf\n{}\n.fi\n", roff(text));
}

std::string usage(const ManualCommand& command) {
  std::string out = roff(command.path);
  for (const ManualOption& option : command.positionals) out += " " + roff(option.names.front());
  if (!command.commands.empty()) out += " COMMAND";
  return out;
}

// The options of one command; --help, which all have, is among those of the program.
std::vector<ManualOption> own_options(const ManualCommand& command) {
  std::vector<ManualOption> own;
  for (const ManualOption& option : command.options) {
    if (option.names.back() != "--help") own.push_back(option);
  }
  return own;
}

void add_commands(std::string& out, const ManualCommand& above) {
  for (const ManualCommand& command : above.commands) {
    out += fmt::format(".SS {}\n", usage(command));
    out += roff(sentence(command.help)) + "\n";
    out += options(command.positionals) + options(own_options(command));
    out += as_it_is(command.footer);
    add_commands(out, command);
  }
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) {
    out += (out.empty() ? "" : &part == &parts.back() ? " and " : ", ") + part;
  }
  return out;
}

constexpr char kFiles[] =
    ".SH FILES\n.TP\n.I /etc/postern/postern.conf\nSettings of all programs: postern.conf(5).\n";

}  // namespace

std::string command_page(const ManualCommand& command) {
  std::string out = head(command.name, 1, "the operator's command of the task queue Postern");
  out += ".SH SYNOPSIS\n\\fBpostern\\fR [OPTIONS] COMMAND [OPTIONS]\n";
  out +=
      ".SH DESCRIPTION\nDoes for the operator what the HTTP API does for programs, and more. "
      "Each COMMAND has a \\fB\\-\\-help\\fR of its own.\n";
  out += ".SH OPTIONS\nEvery command takes these, too.\n" + options(command.options);
  out += as_it_is(command.footer);
  out += ".SH COMMANDS\n";
  add_commands(out, command);
  out +=
      ".SH EXIT STATUS\n.TP\n.B 0\nDone.\n.TP\n.B 1\nNot done; standard error says why.\n"
      ".TP\n.B 2\nThe command line or a setting is wrong.\n.PP\n"
      "\\fBpostern check\\fR has those of a Nagios plugin: 0 OK, 1 WARNING, 2 CRITICAL, "
      "3 UNKNOWN.\n";
  out += kFiles;
  out += ".SH SEE ALSO\npostern.conf(5), postern\\-fcgi(8), postern\\-scheduler(8)\n";
  return out;
}

std::string daemon_page(const ManualCommand& daemon, const std::string& purpose,
                        const std::string& text) {
  std::string out = head(daemon.name, 8, purpose);
  out += fmt::format(".SH SYNOPSIS\n\\fB{}\\fR [OPTIONS]\n.SH DESCRIPTION\n{}\n", roff(daemon.name),
                     roff(text));
  out += ".SH OPTIONS\n" + options(daemon.options) + as_it_is(daemon.footer);
  out +=
      ".SH EXIT STATUS\n.TP\n.B 0\nEnded as it was asked to.\n.TP\n.B 1\nCannot start.\n"
      ".TP\n.B 2\nThe command line or a setting is wrong.\n"
      ".TP\n.B 3\nThe database is not fit: its schema is another version's, or it may lose "
      "what is committed.\n";
  out += kFiles;
  out += ".SH SEE ALSO\npostern(1), postern.conf(5)\n";
  return out;
}

std::string settings_page(const std::vector<ManualSetting>& settings) {
  std::string out = head("postern.conf", 5, "settings of the task queue Postern");
  out +=
      ".SH SYNOPSIS\n.I /etc/postern/postern.conf\n"
      ".SH DESCRIPTION\nEach line is one setting, \\fIname\\fR = \\fIvalue\\fR. A line that begins "
      "with # is a comment; a value may stand in double quotes. All programs of Postern read the "
      "file. The environment wins over it, and a flag of the command line over both. A wrong value "
      "stops the program with a sentence that names it; \\fB\\-\\-check\\-config\\fR only checks.\n"
      ".PP\nA DURATION is written 30s, 5m, 1h30m, 7d or as a number of seconds.\n"
      ".SH SETTINGS\n";
  for (const ManualSetting& setting : settings) {
    out += fmt::format(".TP\n\\fB{}\\fR = {}\n", roff(setting.name), roff(setting.value));
    out += roff(fmt::format("{} It must be {}.", sentence(capitalized(setting.meaning)),
                            setting.expected)) +
           "\n.br\n";
    out += roff(fmt::format("Default: {}. Used by {}. Environment: {}.",
                            setting.fallback.empty() ? "empty" : setting.fallback,
                            joined(setting.programs), setting.environment)) +
           "\n";
  }
  out += ".SH SEE ALSO\npostern(1), postern\\-fcgi(8), postern\\-scheduler(8)\n";
  return out;
}

}  // namespace postern::admin
