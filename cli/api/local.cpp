// The handlers' API in this process: a request goes the way that it goes in postern-fcgi, from
// behind FastCGI and authentication on.
#include <future>

#include <fmt/format.h>

#include "cli/api/request.h"
#include "core/base/uuid.h"
#include "core/model/dialect.h"
#include "core/program/log.h"
#include "db/catalog/keys.h"
#include "db/pg/pool.h"
#include "db/schema/migrations.h"
#include "fcgi/api/assembly.h"
#include "fcgi/dispatch.h"
#include "fcgi/intake/intake.h"

namespace postern::admin {
namespace {

// Connections are made when they are needed; most requests need one.
constexpr int kConnections = 3;

// Connects, and holds what must be so before anything is asked.
db::PgConnection greeted(const db::PgConnection::Options& options, const std::string& tenant) try {
  auto connection = db::PgConnection::connect(options);
  if (const auto misfit = db::schema_misfit(connection)) throw ApiAway(*misfit);
  if (!db::has_tenant(connection, tenant)) throw ApiAway(no_such_tenant(tenant));
  return connection;
} catch (const db::PgError& error) {
  throw ApiAway(fmt::format("cannot use the database: {}", error.what()));
}

class LocalApi : public Api {
 public:
  LocalApi(const Settings& settings, const db::PgConnection::Options& database, std::string tenant)
      : tenant_(std::move(tenant)),
        database_(database),
        first_(greeted(database_, tenant_)),
        pool_([this] { return connect(); }, kConnections),
        intake_({.database = database_,
                 .instance = {},
                 .name = "postern",
                 .beats = false,
                 .idempotency_window = settings.idempotency_window}),
        assembly_(
            {.auto_create_queues = settings.auto_create_queues,
             .allow_create_default = settings.allow_create_default,
             .public_url = settings.public_url,
             .cell = settings.cell,
             .quotas = {settings.quota_queues, settings.quota_endpoints, settings.quota_schedules,
                        settings.quota_lanes, settings.quota_waiting}},
            {pool_, pool_, pool_}, intake_),
        dispatch_(assembly_.use_cases(),
                  {.max_body = static_cast<std::size_t>(settings.max_body)}) {}

  ApiAnswer ask(const ApiRequest& asked) override {
    HttpRequest request;
    request.method = asked.method;
    request.path = "/v1";
    for (const auto& segment : asked.path) request.path += '/' + segment;
    request.query = query_text(asked);
    request.body = asked.body;
    request.body_too_large = asked.body.size() > dispatch_.max_body(request);
    if (request.body_too_large) request.body.clear();
    request.content_type = "application/json";
    request.idempotency_key = asked.idempotency_key;
    request.request_id = to_uuid(random_uuid());
    request.dialect = traits(kDefaultDialect).name;
    request.verdict = Verdict::ok;
    request.identity = "postern";
    // Who may use the host's database may see all tenants in it.
    request.role = "operator";
    request.operator_vouched = kVouchedByKey;
    request.key_tenant = tenant_;

    // A creation is answered by the intake's thread.
    auto answered = std::make_shared<std::promise<ApiAnswer>>();
    dispatch_.answer(request, [answered](const HttpResponse& response) {
      answered->set_value({response.status, response.body, response.headers});
    });
    return answered->get_future().get();
  }

 private:
  db::PgConnection connect() {
    if (!first_) return db::PgConnection::connect(database_);
    auto connection = std::move(*first_);
    first_.reset();
    return connection;
  }

  const std::string tenant_;
  const db::PgConnection::Options database_;
  std::optional<db::PgConnection> first_;  // until the pool has it
  db::Pool pool_;
  Intake intake_;
  const Assembly assembly_;
  const Dispatch dispatch_;
};

}  // namespace

std::string no_such_tenant(const std::string& tenant) {
  return fmt::format(
      "there is no tenant {0}; `postern tenant create --name {0}` makes it, `postern tenant list` "
      "shows all",
      tenant);
}

std::unique_ptr<Api> local_api(const Settings& settings, const db::PgConnection::Options& database,
                               const std::string& tenant) {
  // What the handlers would tell their log, and no client: the operator is told.
  start_logging("error");
  return std::make_unique<LocalApi>(settings, database, tenant);
}

}  // namespace postern::admin
