// postern-scheduler: takes due tasks from PostgreSQL and calls their webhooks. Wires the parts; the
// loop does the work.
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>

#include "core/program/config.h"
#include "core/program/database_password.h"
#include "core/program/log.h"
#include "core/program/state_folder.h"
#include "db/catalog/queue_defaults.h"
#include "db/pg/lookout.h"
#include "db/schema/migrations.h"
#include "scheduler/http/address_policy.h"
#include "scheduler/http/client.h"
#include "scheduler/loop.h"

namespace {

using namespace postern;

// Exit codes, besides 0 and config's 2.
constexpr int kCannotStart = 1;
constexpr int kDatabaseUnfit = 3;

// Memory blocks of so many bytes go back to the system at once.
constexpr int kLargeBlock = 256 * 1024;

// The signals that end the program, from now on read from a descriptor. A second thread would
// inherit the mask.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  return set;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

// A slot and a place take a descriptor each, and so does each connection kept for later, of which
// there are as many as slots; the rest needs a few dozen. Raises the soft limit as far as it may,
// and cuts the places, then the slots, to what it allows.
void fit_descriptors(Settings& settings) {
  constexpr int kOthers = 64;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1'000'000);
  setrlimit(RLIMIT_NOFILE, &limit);
  const int most = std::max(3, static_cast<int>(limit.rlim_cur) - kOthers);
  if (2 * settings.slots + settings.places <= most) return;
  settings.slots = std::min(settings.slots, (most - 1) / 2);
  settings.places = std::min(settings.places, most - 2 * settings.slots);
  log::warn("too few descriptors descriptors={} slots={} places={}", limit.rlim_cur, settings.slots,
            settings.places);
}

// Waits until PostgreSQL is there. Ends the program when it is not one that we can work with.
// False: a signal came first.
bool wait_for_database(const db::PgConnection::Options& options, const sigset_t& signals,
                       bool unsafe_durability) {
  for (;;) {
    try {
      auto connection = db::PgConnection::connect(options);
      auto why = db::schema_misfit(connection);
      if (!why && !unsafe_durability) why = db::unsafe_durability(connection);
      if (!why) return true;
      log::critical("cannot start error=\"{}\"", log_safe(*why, kWholeSentence));
      std::exit(kDatabaseUnfit);
    } catch (const db::PgError& error) {
      if (!error.connection_lost()) throw;
      log::warn("database away error=\"{}\"", log_safe(error.what()));
    }
    const timespec pause{2, 0};
    if (sigtimedwait(&signals, nullptr, &pause) > 0) return false;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  // Otherwise glibc raises it with each large body that is freed, and keeps the next ones.
  mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  Settings settings = read_settings(Program::scheduler, argc, argv);
  start_logging(settings.log_level);
  const auto signals = block_signals();
  if (settings.name.empty()) settings.name = host_name();
  fit_descriptors(settings);
  const auto policy =
      scheduler::AddressPolicy::make(settings.egress_allow, settings.egress_ports_allow);
  if (!policy) throw std::runtime_error(policy.error().message);

  db::PgConnection::Options database;
  database.conninfo = settings.database;
  database.program = "postern-scheduler";
  database.prepare = settings.prepared_statements;
  database.session = db::scheduler_session();
  database.password = read_database_password(settings, Program::scheduler, "postern_scheduler");
  database.primary = std::make_shared<db::Primary>(
      state_folder(settings), [](const char* what, const std::string& sentence) {
        log::warn("primary what={} why=\"{}\"", what, log_safe(sentence, kWholeSentence));
      });
  const db::Lookout lookout(database);
  if (settings.public_url.empty()) {
    log::warn("no public url links=\"{}\"", "without a host");
  }
  if (!wait_for_database(database, signals, settings.unsafe_durability)) return 0;

  const scheduler::CurlGlobal curl;
  const int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  return scheduler::Loop(settings, database, *policy, signal_fd).run();
} catch (const std::exception& fault) {
  log::critical("cannot start error=\"{}\"", log_safe(fault.what(), kWholeSentence));
  return kCannotStart;
}
