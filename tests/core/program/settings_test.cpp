// The table of settings: the programs that use each, and the values it accepts.
#include "core/program/settings.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "tests/core/program/parsing.h"

namespace postern {
namespace {

using namespace test;

bool is_for(const SettingExample& example, Program program) {
  switch (program) {
    case Program::admin: return example.for_admin;
    case Program::fcgi: return example.for_fcgi;
    case Program::scheduler: return example.for_scheduler;
  }
  return false;
}

TEST(Settings, AreDocumentedInTheirTable) {
  std::ifstream file(POSTERN_SOURCE_DIR "/docs/settings.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  for (const SettingExample& example : kSettingExamples) {
    std::string name = example.flag;
    std::replace(name.begin(), name.end(), '-', '_');
    const auto row = page.find("\n| `" + name + "` |");
    EXPECT_NE(row, std::string::npos) << name;
    EXPECT_EQ(page.find("\n| `" + name + "` |", row + 1), std::string::npos) << name;
  }
}

// The file that is installed as /etc/postern/postern.conf: each setting once, commented out with
// its default, or with an example where the default is empty.
TEST(Settings, StandInTheExampleFileWithTheirDefaults) {
  std::ifstream file(POSTERN_SOURCE_DIR "/systemd/postern.conf.example");
  std::map<std::string, std::string> written;
  std::string active;
  for (std::string line; std::getline(file, line);) {
    std::smatch parts;
    if (!std::regex_match(line, parts, std::regex("(#?)([a-z_]+) = (.*)"))) continue;
    EXPECT_TRUE(written.emplace(parts[2], parts[3]).second) << line;
    if (parts[1].length() == 0) active += line + "\n";
  }
  // The handlers of a machine that is idle go, since the socket starts them again.
  EXPECT_EQ(active, "idle_exit = 5m\n");
  EXPECT_EQ(written.extract("idle_exit").mapped(), "5m");
  for (const Setting& setting : all_settings()) {
    if (setting.name == std::string("idle_exit")) continue;
    const auto line = written.extract(setting.name);
    ASSERT_FALSE(line.empty()) << setting.name;
    Settings settings;
    EXPECT_TRUE(setting.set(settings, line.mapped())) << setting.name << " = " << line.mapped();
    if (*setting.fallback == '\0') {
      EXPECT_FALSE(settings == Settings{}) << setting.name;
    } else {
      EXPECT_EQ(line.mapped(), setting.fallback) << setting.name;
    }
  }
  EXPECT_TRUE(written.empty()) << written.begin()->first;
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
    for (const SettingExample& example : kSettingExamples) {
      if (is_for(example, program)) expected.insert(example.flag);
    }
    EXPECT_EQ(names, expected);
  }
  EXPECT_TRUE(with_flags({}).settings == Settings{});
}

TEST(Settings, RefuseWrongValuesNamingSettingAndValue) {
  struct Case {
    const char* flag;
    std::vector<const char*> right, wrong;
  };
  const Case table[] = {
      {"log-level", {"debug", "info", "warning", "error"}, {"", "Info", "warn", "trace", "7"}},
      {"auth", {"nginx", "none"}, {"", "NONE", "false", "jwt"}},
      {"operator-sources",
       {"", "key", "token", "header", "key,token", "key, header,token"},
       {"keys", "Key", "key;token", "none", "jwt"}},
      {"threads",
       {"1", "1024"},
       {"", "0", "1025", "-1", "1.5", "8 ", "+8", "0x8", "8k", "99999999999999999999"}},
      {"pool-size", {"1", "64"}, {"0", "65"}},
      {"read-pool-size", {"1", "64"}, {"0", "65"}},
      {"vital-pool-size", {"1", "64"}, {"0", "65"}},
      {"quota-endpoints", {"0", "1000000000"}, {"-1", "1000000001"}},
      {"quota-lanes", {"0", "1000000000"}, {"-1", "1000000001"}},
      {"quota-queues", {"0", "1000000000"}, {"-1", "1000000001"}},
      {"quota-schedules", {"0", "1000000000"}, {"-1", "1000000001"}},
      {"quota-waiting", {"0", "1000000000"}, {"-1", "1000000001"}},
      {"max-body",
       {"1024", "1k", "512k", "64m", "67108864"},
       {"", "k", "1023", "0", "-1k", "65m", "67108865", "1g", "1 k", "1K", "1.5m",
        "9223372036854775807k", "99999999999999999999m"}},
      {"max-bodies-in-flight", {"1m", "1024k", "65536m"}, {"", "1023k", "65537m", "1g"}},
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
      {"state-dir", {"/var/lib/postern", "/"}, {"lib", "./lib"}},
      {"cell",
       {"a", "0", "eu2", "abcdefghijklmnop"},
       // The last are words of nginx's maps, of which cells.map is one.
       {"A", "a_b", "a-b", " a", "abcdefghijklmnopq", "default", "include", "volatile",
        "hostnames"}},
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
      {"places", {"1", "50000"}, {"0", "50001"}},
      {"unsent-bodies", {"1m", "1024k", "65536m"}, {"0", "1023k", "65537m", "1g", "-1m", ""}},
      {"name", {"a", "host.example-1"}, {"a b", "a\nb", "\xc3\xa9"}},
      {"egress-allow",
       {"10.0.0.0/8", "0.0.0.0/0", "10.1.2.3/32", "::/0", "::1/128", "10.0.0.0/8, fd00::/8"},
       {"10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "/8", "10/8", "010.0.0.0/8",
        "::1/129", "::1%lo/128", "localhost/8", "10.0.0.0/8;::/0", "10.0.0.0/8,x"}},
      {"egress-ports-allow",
       {"25", "1,65535", "25, 6443 8500"},
       {"0", "65536", "-1", "smtp", "25;26", "25,x", "1-100", "0x19"}},
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

// With bits behind the length nobody knows whether one address is meant or a network.
TEST(Settings, RefuseAnEgressNetworkThatTheSchedulerWouldRefuse) {
  for (const char* text : {"10.0.0.1/8", "fd12::1/16", "10.0.0.0/8,192.168.1.7/24", "10.0.0.0",
                           "010.0.0.0/8", "10.0.0.0/33", "localhost/8"}) {
    const auto sentence =
        with_flags({"--check-config", "--egress-allow", text}, Program::scheduler).sentence;
    EXPECT_EQ(sentence.substr(0, 16), "egress_allow = \"") << text << ": " << sentence;
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

TEST(Settings, GatherEgressPorts) {
  const Parsing parsing = with_flags(
      {"--egress-ports-allow", "25, 6443", "--egress-ports-allow=8500"}, Program::scheduler);
  EXPECT_EQ(parsing.sentence, "");
  EXPECT_EQ(parsing.settings.egress_ports_allow, (std::vector{25, 6443, 8500}));
}

TEST(Settings, TrimTheSlashOfThePublicUrl) {
  EXPECT_EQ(with_flags({"--public-url=https://a/b//"}).settings.public_url, "https://a/b");
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
