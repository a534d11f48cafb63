#include "core/program/config.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <stdexcept>

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

namespace postern {
namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

// Unsets what the surroundings of the test may have set, such as POSTERN_EGRESS_ALLOW.
void forget_environment();

// A parsing of the flags, environment and file that are set; each test makes its own.
struct Parsing {
  std::vector<std::string> flags;
  Environment environment;
  std::string file;
  Program program = Program::fcgi;

  Settings settings;
  std::string sentence;  // empty when all was well

  // Parses and returns itself.
  Parsing& run() {
    const std::string path = testing::TempDir() + "postern_config_" + std::to_string(getpid());
    std::ofstream(path) << file;
    forget_environment();
    for (const auto& [key, value] : environment) setenv(key.c_str(), value.c_str(), 1);
    CLI::App app;
    add_settings(app, settings, program);
    std::vector<std::string> reversed(flags.rbegin(), flags.rend());
    reversed.insert(reversed.end(), {path, "--config"});
    try {
      app.parse(reversed);
    } catch (const CLI::Error& error) {
      sentence = error.what();
    }
    for (const auto& [key, value] : environment) unsetenv(key.c_str());
    unlink(path.c_str());
    return *this;
  }
};

Parsing with_flags(std::vector<std::string> flags, Program program = Program::fcgi) {
  Parsing parsing;
  parsing.flags = std::move(flags);
  parsing.program = program;
  return parsing.run();
}

Parsing with_file(const std::string& file, Program program = Program::fcgi) {
  Parsing parsing;
  parsing.file = file;
  parsing.program = program;
  return parsing.run();
}

// Each setting with a value that is not its default.
struct Other {
  const char *flag, *value;
  bool for_fcgi, for_scheduler, for_admin;
};
constexpr Other kOthers[] = {
    {"database", "host=/run/pg dbname=x password=a#b", true, true, true},
    {"log-level", "debug", true, true, true},
    {"listen", "unix:/run/postern.sock", true, false, false},
    {"unsafe-bind", "true", true, false, false},
    {"threads", "8", true, false, false},
    {"idle-exit", "5m", true, false, false},
    {"auth", "none", true, false, false},
    {"public-url", "https://tasks.example.com", true, true, false},
    {"auto-create-queues", "false", true, false, false},
    {"allow-create-default", "true", true, false, false},
    {"asyncjobs-queue", "EMAIL", true, false, false},
    {"asyncjobs-lists", "4", true, false, false},
    {"jwt-secret-file", "/etc/postern/jwt", true, false, false},
    {"jwt-require-exp", "false", true, false, false},
    {"max-body", "1m", true, false, false},
    {"idempotency-window", "1h", true, false, false},
    {"pool-size", "4", true, false, false},
    {"prepared-statements", "false", true, true, false},
    {"unsafe-durability", "true", true, true, false},
    {"name", "alpha-1", false, true, false},
    {"slots", "64", false, true, false},
    {"egress-allow", "127.0.0.0/8,fd00::/8", false, true, false},
    {"rescue-after", "2m", false, true, false},
    {"drain-timeout", "10s", false, true, false},
    {"retention-short", "2d", false, true, false},
    {"retention-standard", "90d", false, true, false},
    {"ca-file", "/etc/ssl/ca.pem", false, true, false},
};

std::string key_of(std::string flag) {
  std::replace(flag.begin(), flag.end(), '-', '_');
  return flag;
}

std::string environment_of(const std::string& flag) {
  std::string key = "POSTERN_" + key_of(flag);
  for (char& c : key) c = static_cast<char>(toupper(c));
  return key;
}

void forget_environment() {
  for (const Other& other : kOthers) unsetenv(environment_of(other.flag).c_str());
}

bool is_for(const Other& other, Program program) {
  switch (program) {
    case Program::admin: return other.for_admin;
    case Program::fcgi: return other.for_fcgi;
    case Program::scheduler: return other.for_scheduler;
  }
  return false;
}

TEST(Settings, StandInTheReadmesTableEachInARowOfItsOwn) {
  std::ifstream file(POSTERN_SOURCE_DIR "/README.md");
  const std::string readme{std::istreambuf_iterator<char>(file), {}};
  for (const Other& other : kOthers) {
    std::string name = other.flag;
    std::replace(name.begin(), name.end(), '-', '_');
    const auto row = readme.find("\n| `" + name + "` |");
    EXPECT_NE(row, std::string::npos) << name;
    EXPECT_EQ(readme.find("\n| `" + name + "` |", row + 1), std::string::npos) << name;
  }
}

TEST(Settings, HaveTheDefaultsTheHelpNames) {
  for (const Program program : {Program::admin, Program::fcgi, Program::scheduler}) {
    CLI::App app;
    Settings settings;
    add_settings(app, settings, program);
    std::set<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_envname().empty()) continue;  // --help and the like
      names.insert(option->get_name().substr(2));
      EXPECT_NE(option->get_description(), "");
      EXPECT_EQ(option->get_envname(), environment_of(option->get_name().substr(2)));
      const std::string fallback = option->get_default_str();
      const bool is_switch = option->get_expected_min() == 0;
      const Parsing parsing = is_switch ? with_flags({option->get_name() + "=" + fallback}, program)
                                        : with_flags({option->get_name(), fallback}, program);
      EXPECT_EQ(parsing.sentence, "");
      EXPECT_TRUE(parsing.settings == Settings{}) << option->get_name() << " " << fallback;
    }
    std::set<std::string> expected;
    for (const Other& other : kOthers) {
      if (is_for(other, program)) expected.insert(other.flag);
    }
    EXPECT_EQ(names, expected);
  }
  EXPECT_TRUE(with_flags({}).settings == Settings{});
}

TEST(Settings, ComeFromFlagEnvironmentAndFileAlike) {
  for (const Other& other : kOthers) {
    const Program program = other.for_fcgi ? Program::fcgi : Program::scheduler;
    const std::string flag = std::string("--") + other.flag;
    const Parsing by_flag = with_flags({flag + "=" + other.value}, program);
    EXPECT_EQ(by_flag.sentence, "") << flag;
    EXPECT_FALSE(by_flag.settings == Settings{}) << flag;

    Parsing by_environment;
    by_environment.program = program;
    by_environment.environment = {{environment_of(other.flag), other.value}};
    by_environment.run();
    EXPECT_EQ(by_environment.sentence, "") << flag;
    EXPECT_TRUE(by_environment.settings == by_flag.settings) << flag;

    for (const std::string& line : {key_of(other.flag) + " = " + other.value,
                                    other.flag + std::string("=\"") + other.value + "\""}) {
      const Parsing by_file = with_file(line, program);
      EXPECT_EQ(by_file.sentence, "") << line;
      EXPECT_TRUE(by_file.settings == by_flag.settings) << line;
    }
  }
}

TEST(Settings, TakeTheFlagBeforeTheEnvironmentBeforeTheFile) {
  Parsing parsing;
  parsing.file = "threads = 1\nslots = 1\npool_size = 1\nmax_body = 1k";
  EXPECT_EQ(parsing.run().settings.threads, 1);
  parsing.environment = {{"POSTERN_THREADS", "2"}, {"POSTERN_POOL_SIZE", "2"}};
  EXPECT_EQ(parsing.run().settings.threads, 2);
  parsing.flags = {"--threads=3"};
  EXPECT_EQ(parsing.run().settings.threads, 3);
  EXPECT_EQ(parsing.settings.pool_size, 2);
  EXPECT_EQ(parsing.settings.max_body, 1024);
}

TEST(Settings, AreSwitchedOnByTheBareFlag) {
  EXPECT_TRUE(with_flags({"--unsafe-bind"}).settings.unsafe_bind);
  EXPECT_FALSE(with_flags({"--auto-create-queues=false"}).settings.auto_create_queues);
}

TEST(Settings, AreReadFromAnOrdinaryFile) {
  const Parsing parsing = with_file(
      "# Postern's settings\n"
      "\n"
      "   database =  host=/run/postgresql  dbname=postern # not a comment  \r\n"
      "auth=none\n"
      "\tslots = nonsense of another program, which that one checks\n"
      "idle-exit = 1h30m");
  EXPECT_EQ(parsing.sentence, "");
  EXPECT_EQ(parsing.settings.database, "host=/run/postgresql  dbname=postern # not a comment");
  EXPECT_EQ(parsing.settings.auth, "none");
  EXPECT_EQ(parsing.settings.idle_exit, Seconds{5400});
  EXPECT_EQ(parsing.settings.slots, Settings{}.slots);
}

TEST(Settings, RefuseAWrongFileNamingTheLine) {
  const std::pair<const char*, const char*> table[] = {
      {"\nthraeds = 5",
       "The configuration file's line 2 is wrong: there is no setting \"thraeds\"."},
      {"[fcgi]\nthreads = 5",
       "The configuration file's line 1 is wrong: there is no setting \"[fcgi]\"."},
      {"config = /x", "The configuration file's line 1 is wrong: there is no setting \"config\"."},
      {"unsafe_bind", "The configuration file's line 1 is wrong: it must be unsafe_bind = VALUE."},
      {"threads = 1\nthreads = 2",
       "The configuration file's line 2 is wrong: threads is given twice."},
      {"threads = none", "threads = \"none\" is wrong: it must be a number from 1 to 1024."},
      {"unsafe_bind = maybe", "unsafe_bind = \"maybe\" is wrong: it must be true or false."},
  };
  for (const auto& [file, sentence] : table) EXPECT_EQ(with_file(file).sentence, sentence);
}

TEST(Settings, RefuseWrongValuesNamingSettingAndValue) {
  struct Case {
    const char* flag;
    std::vector<const char*> right, wrong;
  };
  const Case table[] = {
      {"log-level", {"debug", "info", "warning", "error"}, {"", "Info", "warn", "trace", "7"}},
      {"auth", {"nginx", "none"}, {"", "NONE", "false", "jwt"}},
      {"threads",
       {"1", "1024"},
       {"", "0", "1025", "-1", "1.5", "8 ", "+8", "0x8", "8k", "99999999999999999999"}},
      {"pool-size", {"1", "64"}, {"0", "65"}},
      {"max-body",
       {"1024", "1k", "512k", "64m", "67108864"},
       {"", "k", "1023", "0", "-1k", "65m", "67108865", "1g", "1 k", "1K", "1.5m",
        "9223372036854775807k", "99999999999999999999m"}},
      {"idle-exit", {"0", "0s", "90", "1d2h3m4s"}, {"", "-1", "5x", "m", "soon"}},
      {"idempotency-window", {"1", "10m"}, {"0", "0s"}},
      {"listen",
       {"127.0.0.1:9000", "127.9.9.9:1", "[::1]:65535", "localhost:9000", "unix:/run/x.sock"},
       {"9000", ":9000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
        "127.0.0.1:http", "::1:9000", "[::1]", "[::1:9000", "[127.0.0.1]:9000", "*:9000",
        "example.com:9000", "127.1:9000", "unix:", "unix:run/x.sock", "/run/x.sock",
        "unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
        "2345678901234567890123456"}},
      {"public-url",
       {"http://a", "https://a:8443/postern/"},
       {"a", "ftp://a/", "http://a/?x", "http://a/#x", "http://u@a/"}},
  };
  for (const auto& [flag, right, wrong] : table) {
    for (const char* value : right) {
      EXPECT_EQ(with_flags({std::string("--") + flag, value}).sentence, "") << flag << " " << value;
    }
    for (const char* value : wrong) {
      const std::string sentence = with_flags({std::string("--") + flag, value}).sentence;
      const std::string begin = key_of(flag) + " = \"" + value + "\" is wrong: it must be ";
      EXPECT_EQ(sentence.substr(0, begin.size()), begin) << sentence;
      EXPECT_EQ(sentence.find('\n'), sentence.npos) << sentence;
    }
  }
}

TEST(Settings, RefuseWrongValuesOfTheScheduler) {
  struct Case {
    const char* flag;
    std::vector<const char*> right, wrong;
  };
  const Case table[] = {
      {"slots", {"1", "10000"}, {"0", "10001"}},
      {"name", {"a", "host.example-1"}, {"a b", "a\nb", "\xc3\xa9"}},
      {"egress-allow",
       {"10.0.0.0/8", "0.0.0.0/0", "10.1.2.3/32", "::/0", "::1/128", "10.0.0.0/8, fd00::/8"},
       {"10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "/8", "10/8", "010.0.0.0/8",
        "::1/129", "::1%lo/128", "localhost/8", "10.0.0.0/8;::/0", "10.0.0.0/8,x"}},
      {"rescue-after", {"1", "1s", "60"}, {"0", "0s", "x"}},
      {"drain-timeout", {"0", "30s"}, {"", "-1s"}},
      {"retention-short", {"1d"}, {"0"}},
      {"retention-standard", {"30d"}, {"0d"}},
  };
  for (const auto& [flag, right, wrong] : table) {
    for (const char* value : right) {
      EXPECT_EQ(with_flags({std::string("--") + flag, value}, Program::scheduler).sentence, "")
          << flag << " " << value;
    }
    for (const char* value : wrong) {
      const std::string sentence =
          with_flags({std::string("--") + flag, value}, Program::scheduler).sentence;
      const std::string begin = key_of(flag) + " = \"" + value + "\" is wrong: it must be ";
      EXPECT_EQ(sentence.substr(0, begin.size()), begin) << sentence;
    }
  }
}

TEST(Settings, GatherEgressNetworks) {
  const std::vector<std::string> expected = {"10.0.0.0/8", "fd00::/8", "::1/128"};
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--egress-allow", "10.0.0.0/8,fd00::/8 ::1/128"},
        {"--egress-allow=10.0.0.0/8", "--egress-allow", "fd00::/8", "--egress-allow=::1/128"}}) {
    const Parsing parsing = with_flags(flags, Program::scheduler);
    EXPECT_EQ(parsing.sentence, "");
    EXPECT_EQ(parsing.settings.egress_allow, expected);
  }
}

TEST(Settings, TrimTheSlashOfThePublicUrl) {
  EXPECT_EQ(with_flags({"--public-url=https://a/b//"}).settings.public_url, "https://a/b");
}

TEST(Settings, AcceptOnlyTheProgramsOwnFlags) {
  EXPECT_NE(with_flags({"--slots=5"}, Program::fcgi).sentence, "");
  EXPECT_NE(with_flags({"--threads=5"}, Program::scheduler).sentence, "");
  EXPECT_NE(with_flags({"--threads=5"}, Program::admin).sentence, "");
  EXPECT_NE(with_flags({"extra"}).sentence, "");
}

TEST(CheckConfig, SaysOkOrTheSentence) {
  EXPECT_EQ(with_flags({"--check-config"}).sentence, "ok");
  EXPECT_EQ(with_flags({"--check-config"}, Program::admin).sentence, "ok");
  EXPECT_EQ(with_flags({"--check-config", "--threads=0"}).sentence,
            "threads = \"0\" is wrong: it must be a number from 1 to 1024.");
  EXPECT_EQ(with_flags({"--check-config", "--listen=10.0.0.1:9"}).sentence.substr(0, 40),
            "listen = \"10.0.0.1:9\" is wrong: it must ");
}

TEST(Version, IsToldAlsoWhenTheSettingsAreWrong) {
  Parsing parsing;
  parsing.flags = {"--version"};
  parsing.file = "thraeds = 5";
  EXPECT_EQ(parsing.run().sentence, "postern-fcgi " POSTERN_VERSION);
}

// What a daemon's main does with these flags.
Settings read(std::vector<std::string> flags, Program program = Program::fcgi,
              const std::string& file = "/dev/null") {
  forget_environment();
  flags.insert(flags.begin(), {"program", "--config", file});
  std::vector<char*> argv;
  for (std::string& flag : flags) argv.push_back(flag.data());
  return read_settings(program, static_cast<int>(argv.size()), argv.data());
}

// The same for EXPECT_EXIT, which only looks at standard error.
void read_and_tell(const std::vector<std::string>& flags) {
  dup2(STDERR_FILENO, STDOUT_FILENO);
  read(flags);
}

TEST(ReadSettings, ReturnsWhatIsRight) { EXPECT_EQ(read({"--threads", "3"}).threads, 3); }

TEST(ReadSettings, ExitsWith2AndOneSentence) {
  EXPECT_EXIT(read({"--threads", "0"}), testing::ExitedWithCode(2),
              "^postern-fcgi: threads = \"0\" is wrong: it must be a number from 1 to 1024\\.\n$");
  EXPECT_EXIT(
      read({"--slots", "0"}, Program::scheduler), testing::ExitedWithCode(2),
      "^postern-scheduler: slots = \"0\" is wrong: it must be a number from 1 to 10000\\.\n$");
  EXPECT_EXIT(read({}, Program::fcgi, "/nowhere/at.all"), testing::ExitedWithCode(2),
              "/nowhere/at.all");
  EXPECT_EXIT(read({"--frob"}), testing::ExitedWithCode(2), "--frob");
}

TEST(ReadSettings, RefusesToListenToEverybodyUnlessTold) {
  for (const char* address : {"0.0.0.0:9000", "10.0.0.1:9000", "[::]:9000", "[2001:db8::1]:9"}) {
    EXPECT_EXIT(read({"--listen", address}), testing::ExitedWithCode(2), "--unsafe-bind");
    EXPECT_EQ(read({"--unsafe-bind", "--listen", address}).listen, address);
  }
}

TEST(ReadSettings, ExitsWith0WhenAskedForHelpVersionOrACheck) {
  const testing::ExitedWithCode well(0);
  EXPECT_EXIT(read_and_tell({"--help"}), well, "--idle-exit DURATION .0.");
  EXPECT_EXIT(read_and_tell({"--version"}), well, "^postern-fcgi " POSTERN_VERSION "\n$");
  EXPECT_EXIT(read_and_tell({"--check-config"}), well, "^ok\n$");
}

TEST(ParseSettingDuration, ReadsUnitsAndPlainSeconds) {
  const std::pair<const char*, std::int64_t> table[] = {
      {"0", 0},
      {"90", 90},
      {"0s", 0},
      {"30s", 30},
      {"5m", 300},
      {"1h30m", 5400},
      {"7d", 604'800},
      {"1d2h3m4s", 93'784},
      {"100m", 6000},
      {"1d1s", 86'401},
      {"36600d", 36'600LL * 86'400},
  };
  for (const auto& [text, seconds] : table) {
    EXPECT_EQ(parse_setting_duration(text), Seconds{seconds}) << text;
  }
}

TEST(ParseSettingDuration, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "s",
                           "m5",
                           "5x",
                           "5 m",
                           " 5m",
                           "5m ",
                           "-5m",
                           "+5m",
                           "1.5h",
                           "1h30",
                           "30m1h",
                           "5m5m",
                           "1h-5m",
                           "5M",
                           "ms",
                           "10ms",
                           "36601d",
                           "36600d1s",
                           "9223372036854775807",
                           "9223372036854775808",
                           "99999999999999999999d",
                           "106751991167301d"}) {
    EXPECT_THROW(parse_setting_duration(text), std::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace postern
