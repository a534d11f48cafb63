// GET /v1/health: what an operator is told, and what nobody else is.
#include "core/model/lane.h"
#include "db/engine/heartbeat.h"
#include "tests/fcgi/wire.h"

namespace postern::test {
namespace {

class HealthTest : public WireTest {
 protected:
  HealthTest() {
    admin_.script(R"sql(
      INSERT INTO postern.tenant (name) VALUES ('acme'), ('rival');
      INSERT INTO postern.queue (tenant, name, paused) VALUES ('acme', 'acme_mail', true), ('rival', 'rival_mail', true);
      INSERT INTO postern.queue_gauge (tenant, queue, seen_at, ready, delayed, active, blocked, estimated, oldest_due)
      VALUES ('rival', 'rival_mail', now(), 1, 0, 0, 0, false, now() - interval '1 hour');
      INSERT INTO postern.endpoint (tenant, name, url) VALUES ('rival', 'rival_smtp', 'http://rival.test:25/');
      INSERT INTO postern.task_finished (id, state, tenant, queue, url, finished_at)
      SELECT postern.new_task_id(), 'failed', 'rival', 'rival_mail', 'http://rival.test/', now() FROM generate_series(1, 20))sql");
    SchedulerGauges gauges;
    for (const std::string tenant : {"acme", "rival"}) {
      const std::int64_t lane = lane_id(tenant, tenant + "_mail", tenant + ".test");
      admin_.exec(
          {"", "INSERT INTO postern.lane (id, tenant, queue, target) VALUES ($1, $2, $3, $4)"},
          db::Params().int8(lane).text(tenant).text(tenant + "_mail").text(tenant + ".test"));
      gauges.lanes.push_back({lane, "open"});
    }
    admin_.exec(db::kBeat, db::beat_params(random_uuid(), "rivals-scheduler", gauges));
  }

  Answer health(const std::string& tenant, const std::string& role) {
    HttpRequest get = request("GET", "/v1/health");
    get.role = role;
    get.key_tenant = tenant;
    if (role == "operator") get.operator_vouched = kVouchedByKey;
    return ask(get);
  }
  // What a check says, as "warning: paused: queue acme/acme_mail".
  static std::string said(const Answer& answer, std::string_view name) {
    const auto checks = answer.at("checks");
    for (const auto& each : checks.as_array()) {
      const auto& check = each.as_object();
      if (check.at("name").as_string() != name) continue;
      return std::string(check.at("verdict").as_string()) + ": " +
             std::string(check.at("finding").as_string());
    }
    return "no such check";
  }
};

TEST_F(HealthTest, AnAdminIsToldOfNoOtherTenant) {
  for (const char* role : {"read", "worker", "admin"}) {
    const Answer own = health("acme", role);
    EXPECT_EQ(own.status, 200);
    EXPECT_EQ(own.text("scope"), "tenant");
    EXPECT_EQ(own.text("status"), "warning");
    EXPECT_EQ(own.text("schedulers_up"), "1");
    EXPECT_EQ(said(own, "pauses"), "warning: paused: queue acme/acme_mail");
    EXPECT_EQ(said(own, "oldest due"), "ok: nothing is due");
    EXPECT_EQ(said(own, "failures"), "ok: 0 of 0 tasks failed in 15 min");
    EXPECT_EQ(said(own, "egress"), "ok: no endpoint has a closed port");
    EXPECT_EQ(own.text("breakers"),
              R"([{"queue":"acme_mail","target":"acme.test","state":"open"}])");
    EXPECT_EQ(own.body.find("rival"), std::string::npos) << own.body;
    EXPECT_EQ(own.json().size(), 6U) << "nothing of the installation: " << own.body;
  }
}

TEST_F(HealthTest, AnOperatorIsToldOfAll) {
  const Answer all = health("acme", "operator");
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(all.text("scope"), "all");
  EXPECT_EQ(all.text("status"), "wrong");
  EXPECT_EQ(said(all, "pauses"), "warning: paused: queue acme/acme_mail, queue rival/rival_mail");
  EXPECT_TRUE(said(all, "oldest due").ends_with("in the queue rival/rival_mail"));
  EXPECT_EQ(said(all, "failures"), "warning: 20 of 20 tasks failed in 15 min");
  EXPECT_EQ(said(all, "egress"), "wrong: closed: rival/rival_smtp (25, smtp)");
  EXPECT_EQ(all.text("breakers/1/tenant"), "rival");
  EXPECT_EQ(all.text("schedulers/0/name"), "rivals-scheduler");
  EXPECT_EQ(all.text("schedulers/0/up"), "true");
  EXPECT_EQ(all.text("handlers/0/name"), "test");
  EXPECT_EQ(all.text("database/in_recovery"), "false");
  EXPECT_GT(all.at("database/size_bytes").as_int64(), 0);
  EXPECT_EQ(all.text("partitions/0/class"), "short");
  const auto checks = all.at("checks");
  for (const auto& each : checks.as_array()) {
    const auto& check = each.as_object();
    EXPECT_EQ(check.at("hint").as_string().empty(), check.at("verdict").as_string() == "ok")
        << check.at("name");
  }
}

// The word alone, a key whose tasks are never delivered, and nobody at all.
TEST_F(HealthTest, WhoIsNoOperator) {
  HttpRequest get = request("GET", "/v1/health");
  get.role = "operator";
  EXPECT_EQ(ask(get).status, 403) << "nobody vouches for it";
  get.operator_vouched = kVouchedByKey;
  get.sandbox = '1';
  get.key_tenant = "acme";
  EXPECT_EQ(ask(get).text("scope"), "tenant");
  get.verdict = Verdict::missing;
  EXPECT_EQ(ask(get).status, 401);
  start({.require_identity = false});
  EXPECT_EQ(ask("GET", "/v1/health").text("scope"), "tenant") << "auth = none";
}

TEST_F(HealthTest, IsCountedOnceForAllWhoAskSoon) {
  start({.health_kept = std::chrono::hours(1)});
  EXPECT_EQ(said(health("acme", "admin"), "pauses"), "warning: paused: queue acme/acme_mail");
  const Answer all = health("acme", "operator");
  admin_.script("UPDATE postern.queue SET paused = false");
  EXPECT_EQ(said(health("acme", "read"), "pauses"), "warning: paused: queue acme/acme_mail");
  EXPECT_EQ(health("rival", "operator").body, all.body);
  EXPECT_EQ(said(health("rival", "admin"), "pauses"), "ok: nothing is paused")
      << "each tenant its own";
  start({});
  EXPECT_EQ(said(health("acme", "read"), "pauses"), "ok: nothing is paused");
}

}  // namespace
}  // namespace postern::test
