// Helpers for tests of settings: parsing of flags, environment and file.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "core/program/config.h"

namespace postern::test {

// Each setting with a value that is not its default.
struct SettingExample {
  const char *flag, *value;
  bool for_fcgi, for_scheduler, for_admin;
};
inline constexpr SettingExample kSettingExamples[] = {
    {"database", "host=/run/pg dbname=x password=a#b", true, true, true},
    {"database-password-file", "/etc/postern/password", true, true, true},
    {"log-level", "debug", true, true, true},
    {"listen", "unix:/run/postern.sock", true, false, false},
    {"unsafe-bind", "true", true, false, false},
    {"threads", "8", true, false, false},
    {"idle-exit", "5m", true, false, false},
    {"auth", "none", true, false, false},
    {"operator-sources", "token,header", true, false, false},
    {"public-url", "https://tasks.example.com", true, true, true},
    {"cell", "eu2", true, true, true},
    {"state-dir", "/srv/postern-state", true, true, true},
    {"auto-create-queues", "false", true, false, true},
    {"allow-create-default", "true", true, false, true},
    {"asyncjobs-queue", "EMAIL", true, false, false},
    {"asyncjobs-lists", "4", true, false, false},
    {"jwt-secret-file", "/etc/postern/jwt", true, false, false},
    {"jwt-keys-file", "/etc/postern/jwks.json", true, false, true},
    {"jwt-audience", "https://tasks.example.com", true, false, false},
    {"jwt-require-exp", "false", true, false, false},
    {"max-body", "1m", true, false, true},
    {"max-bodies-in-flight", "10m", true, false, false},
    {"idempotency-window", "1h", true, false, true},
    {"ready-needs-scheduler", "true", true, false, false},
    {"pool-size", "4", true, false, false},
    {"read-pool-size", "3", true, false, false},
    {"vital-pool-size", "3", true, false, false},
    {"quota-queues", "4", true, false, true},
    {"quota-endpoints", "4", true, false, true},
    {"quota-schedules", "4", true, false, true},
    {"quota-lanes", "4", true, false, true},
    {"quota-waiting", "4", true, true, true},
    {"prepared-statements", "false", true, true, false},
    {"unsafe-durability", "true", true, true, false},
    {"name", "alpha-1", false, true, false},
    {"slots", "64", false, true, false},
    {"places", "1000", false, true, false},
    {"unsent-bodies", "64m", false, true, false},
    {"egress-allow", "127.0.0.0/8,fd00::/8", false, true, false},
    {"egress-ports-allow", "25,6443", false, true, false},
    {"rescue-after", "2m", false, true, false},
    {"drain-timeout", "10s", false, true, false},
    {"retention-short", "2d", false, true, false},
    {"retention-standard", "90d", false, true, false},
    {"ca-file", "/etc/ssl/ca.pem", false, true, false},
};

inline std::string key_of(std::string flag) {
  std::replace(flag.begin(), flag.end(), '-', '_');
  return flag;
}

inline std::string environment_of(const std::string& flag) {
  std::string key = "POSTERN_" + key_of(flag);
  for (char& c : key) c = static_cast<char>(toupper(c));
  return key;
}

// Unsets the POSTERN_* variables that the test may have inherited, such as POSTERN_EGRESS_ALLOW.
inline void forget_environment() {
  for (const SettingExample& example : kSettingExamples)
    unsetenv(environment_of(example.flag).c_str());
}

// The file that a Parsing reads.
inline std::string config_path() {
  return testing::TempDir() + "postern_config_" + std::to_string(getpid());
}

// One parsing of given flags, environment and file.
struct Parsing {
  std::vector<std::string> flags;
  std::vector<std::pair<std::string, std::string>> environment;
  std::string file;
  Program program = Program::fcgi;

  Settings settings;
  std::string sentence;  // the error; empty when there was none

  // Parses and returns itself.
  Parsing& run() {
    const std::string path = config_path();
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

inline Parsing with_flags(std::vector<std::string> flags, Program program = Program::fcgi) {
  Parsing parsing;
  parsing.flags = std::move(flags);
  parsing.program = program;
  return parsing.run();
}

inline Parsing with_file(const std::string& file, Program program = Program::fcgi) {
  Parsing parsing;
  parsing.file = file;
  parsing.program = program;
  return parsing.run();
}

}  // namespace postern::test
