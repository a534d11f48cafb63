// Settings: one table with name, meaning, unit and default for all three programs. Each can be
// given as a flag (--idle-exit), in the environment (POSTERN_IDLE_EXIT) or as a line of a file
// ("idle_exit = 5m"). --config names the file; the default is /etc/postern/postern.conf, if it
// exists. The flag wins over the environment, which wins over the file. A wrong value, a file that
// cannot be read and a named one that does not exist stop the program at start with one sentence
// that names the setting, or the file and the line.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/time/time.h"

namespace CLI {
class App;
}

namespace postern {

// Every setting of every program, defaults included. The table in settings.cpp says what each
// means; the table of docs/settings.md is checked against it by a test.
struct Settings {
  // all programs
  std::string database = "dbname=postern";
  std::string database_password_file;  // empty: the credential, if there is one
  std::string log_level = "info";
  std::string public_url;
  std::string cell;       // empty: there is no other
  std::string state_dir;  // empty: $STATE_DIRECTORY of systemd, else none
  // both daemons
  bool prepared_statements = true;
  bool unsafe_durability = false;
  // postern-fcgi
  std::string listen;  // empty: the socket on file descriptor 0
  bool unsafe_bind = false;
  int threads = 64;
  Seconds idle_exit{0};  // 0: never
  std::string auth = "nginx";
  std::vector<std::string> operator_sources = {"key"};  // of key, token, header
  bool auto_create_queues = true;
  bool allow_create_default = false;
  std::string asyncjobs_queue;  // empty: none
  int asyncjobs_lists = 1;
  std::string jwt_secret_file;  // empty: none
  std::string jwt_keys_file;    // empty: none
  std::string jwt_audience;     // empty: none is expected
  bool jwt_require_exp = true;
  std::int64_t max_body = 512 * 1024;                    // bytes
  std::int64_t max_bodies_in_flight = 96 * 1024 * 1024;  // bytes
  Seconds idempotency_window{600};
  bool ready_needs_scheduler = false;
  int pool_size = 8;
  int read_pool_size = 4;
  int vital_pool_size = 2;
  // Of each tenant; 0: no limit.
  int quota_queues = 10'000;
  int quota_endpoints = 20'000;
  int quota_schedules = 20'000;
  int quota_lanes = 20'000;
  int quota_waiting = 20'000'000;  // postern-scheduler, too
  // postern-scheduler
  std::string name;  // empty: the host's name
  int slots = 256;
  int places = 4096;
  std::int64_t unsent_bodies = 256 * 1024 * 1024;  // bytes
  std::vector<std::string> egress_allow;           // CIDRs
  std::vector<int> egress_ports_allow;
  Seconds rescue_after{60};
  Seconds drain_timeout{30};
  Seconds retention_short{86'400};
  Seconds retention_standard{30 * 86'400};
  std::string ca_file;  // empty: the system's

  bool operator==(const Settings&) const = default;
};

enum class Program { admin, fcgi, scheduler };

// Registers the settings that `program` uses as options of `app`, with their environment names, the
// config file, --version and --check-config. On a wrong value the app's parsing throws a
// CLI::ParseError whose what() is the sentence. `settings` must outlive the parsing. The
// `postern` command adds its subcommands to the same app.
void add_settings(CLI::App& app, Settings& settings, Program program);

// The settings of a daemon from its command line, environment and file. Prints help or version and
// exits when asked to; on a wrong value prints the sentence and exits 2; with --check-config prints
// "ok" and exits 0 when every setting is valid, and the files of secrets and keys are. Only the
// settings of `program` are accepted as flags; the file and the environment may also hold those of
// other programs.
Settings read_settings(Program program, int argc, char** argv);

// The settings of a file alone, as `program` uses them, without the environment: those of another
// installation. Throws std::runtime_error with the sentence for a file that cannot be read, does
// not exist or holds a wrong value. `said`: gets the names of those that the file holds.
Settings read_settings_file(Program program, const std::string& file,
                            std::set<std::string, std::less<>>* said = nullptr);

// "30s", "5m", "1h30m", "7d", or a plain number of seconds; 0 is allowed.
// Throws std::invalid_argument with a sentence for anything else.
Seconds parse_setting_duration(const std::string& text);

}  // namespace postern
