// postern-fcgi: HTTP requests, handed over by nginx, become rows in PostgreSQL.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

#include "core/base/uuid.h"
#include "core/program/config.h"
#include "core/program/database_password.h"
#include "core/program/jwt_policy.h"
#include "core/program/log.h"
#include "core/program/state_folder.h"
#include "db/pg/lookout.h"
#include "db/pg/pool.h"
#include "db/schema/migrations.h"
#include "fcgi/api/assembly.h"
#include "fcgi/auth/authenticator.h"
#include "fcgi/auth/key_review.h"
#include "fcgi/dispatch.h"
#include "fcgi/intake/intake.h"
#include "fcgi/server/fastcgi.h"
#include "fcgi/server/run_queue.h"

namespace postern {
namespace {

// Exit codes, besides 0 and config's 2.
constexpr int kCannotStart = 1;
constexpr int kDatabaseUnfit = 3;

// What is larger goes back to the system as soon as it is free. Left to itself, the C library keeps
// up to 32 MiB of what large bodies took, for each of many threads.
constexpr int kMapped = 256 * 1024;

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

// Checked at each new connection, since the database may be away when we start and another when it
// comes back. Threads are at work, so this does not return through main.
void require_fit(db::PgConnection& connection, bool unsafe_durability) {
  auto sentence = db::schema_misfit(connection);
  if (!sentence && !unsafe_durability) sentence = db::unsafe_durability(connection);
  if (!sentence) return;
  log::critical("cannot start error=\"{}\"", log_safe(*sentence, kWholeSentence));
  log::flush();
  std::_Exit(kDatabaseUnfit);
}

AdmissionRules admission_rules(const Settings& settings) {
  const auto counts = [&](std::string_view source) {
    return std::ranges::find(settings.operator_sources, source) != settings.operator_sources.end();
  };
  return {
      .require_identity = settings.auth != "none",
      .operators = {.key = counts("key"), .token = counts("token"), .header = counts("header")}};
}

int serve(const Settings& settings) {
  const JwtPolicy jwt = read_jwt_policy(settings);
  Fd signals = FastCgiServer::take_signals();
  Listener listener = open_listener(settings.listen);

  const db::PgConnection::Options database{
      .conninfo = settings.database,
      .program = "postern-fcgi",
      .prepare = settings.prepared_statements,
      .session = db::handler_session(),
      .password = read_database_password(settings, Program::fcgi, "postern_api"),
      .primary = std::make_shared<db::Primary>(
          state_folder(settings), [](const char* what, const std::string& sentence) {
            log::warn("primary what={} why=\"{}\"", what, log_safe(sentence, kWholeSentence));
          })};
  const db::Lookout lookout(database);
  db::PgConnection::Options of_reads = database;
  of_reads.session = db::reader_session();
  const Uuid instance = random_uuid();
  db::Pool vital(database, settings.vital_pool_size);
  db::Pool reads(of_reads, settings.read_pool_size);
  db::Pool rest(database, settings.pool_size);
  RunQueue queue;
  Intake intake({
      .database = database,
      .instance = instance,
      .name = host_name(),
      .cell = settings.cell,
      .idempotency_window = settings.idempotency_window,
      .greet = [&](auto& connection) { require_fit(connection, settings.unsafe_durability); },
      .run = [&](auto answers) { queue.add(std::move(answers)); },
  });
  const Assembly assembly(
      {
          .auto_create_queues = settings.auto_create_queues,
          .allow_create_default = settings.allow_create_default,
          .default_queue = settings.asyncjobs_queue,
          .public_url = settings.public_url,
          .cell = settings.cell,
          .ready_needs_scheduler = settings.ready_needs_scheduler,
          .max_waiters = std::max(1, settings.threads / 4),
          .max_streams = std::max(1, settings.threads / 4),
          .max_lists = settings.asyncjobs_lists,
          .quotas = {settings.quota_queues, settings.quota_endpoints, settings.quota_schedules,
                     settings.quota_lanes, settings.quota_waiting},
          .instance = instance,
      },
      {vital, reads, rest}, intake);
  const AdmissionRules admission = admission_rules(settings);
  const Dispatch dispatch(assembly.use_cases(),
                          {
                              .admission = admission,
                              .max_body = static_cast<std::size_t>(settings.max_body),
                              .reads = settings.read_pool_size,
                              .rest = settings.pool_size,
                              .run = [&](auto work) { queue.add({std::move(work)}); },
                          });
  KeyReview keys(vital);
  FastCgiServer server(
      std::move(listener),
      {.threads = settings.threads,
       .max_body_of = [&](const HttpRequest& request) { return dispatch.max_body(request); },
       .max_bodies_in_flight = static_cast<std::size_t>(settings.max_bodies_in_flight),
       .idle_exit = settings.idle_exit},
      queue, [&](HttpRequest request, const Reply& reply) {
        if (request.service == "auth") {
          return reply(
              authenticate(vital, jwt, assembly.use_cases().placements, request, admission));
        }
        keys.review(request);
        dispatch.answer(request, reply);
      });

  if (settings.public_url.empty()) {
    log::warn("no public url links=\"{}\"", "without a host");
  }
  log::info("ready version={} threads={}", POSTERN_VERSION, settings.threads);
  if (!server.run(std::move(signals))) {
    log::warn("stopped early connections={}", server.connections());
    std::_Exit(0);
  }
  log::info("stopped");
  return 0;
}

}  // namespace
}  // namespace postern

int main(int argc, char** argv) {
  const postern::Settings settings = postern::read_settings(postern::Program::fcgi, argc, argv);
  postern::start_logging(settings.log_level);
  mallopt(M_MMAP_THRESHOLD, postern::kMapped);
  try {
    return postern::serve(settings);
  } catch (const std::exception& fault) {
    postern::log::critical("cannot start error=\"{}\"",
                           postern::log_safe(fault.what(), postern::kWholeSentence));
    return postern::kCannotStart;
  }
}
