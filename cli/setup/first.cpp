// The first key and the first task.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "cli/setup/step.h"
#include "core/base/crypto.h"
#include "core/model/api_key.h"
#include "core/model/ids.h"
#include "db/catalog/keys.h"
#include "db/catalog/schedulers.h"
#include "db/schema/migrations.h"

namespace postern::admin::setup {
namespace {

constexpr char kQueue[] = "postern-setup";

bool migrated(const Plan& plan) {
  if (!plan.database_exists()) return false;
  auto admin = plan.connect();
  return !db::schema_misfit(admin);
}

bool has_key(const Plan& plan) {
  auto admin = plan.connect();
  const auto keys = db::list_keys(admin);
  return std::any_of(keys.begin(), keys.end(), [&](const db::KeyInfo& key) {
    return key.tenant == "default" && key.name == plan.key_name;
  });
}

Step key(Plan& plan) {
  return {"key",
          [&plan] {
            if (migrated(plan) && has_key(plan)) {
              return done(plan.key_name + " is there; its text was shown when it was made");
            }
            return open(fmt::format("make the API key {}, with the role admin", plan.key_name));
          },
          [&plan] {
            const auto text = make_api_key(false, plan.context->settings.cell);
            auto admin = plan.connect();
            if (db::create_key(admin, {sha256(text), plan.key_name, "admin", "default", false,
                                       std::nullopt}) != db::Made::yes) {
              throw std::runtime_error("the key " + plan.key_name + " was made by somebody else");
            }
            return fmt::format("made {}: {}  (keep it now: only its hash is stored)", plan.key_name,
                               text);
          },
          "postern key revoke --name " + plan.key_name};
}

[[noreturn]] void not_delivered(const Plan& plan, const std::string& task, std::string_view reason,
                                std::string_view why) {
  if (reason == "egress_denied") {
    throw Skipped(fmt::format(
        "task {} was taken, and not delivered: {} is a private address to this host, and webhooks "
        "call public ones alone. If yours shall go there, add `egress_allow = ADDRESS/32` (`getent "
        "hosts NAME` shows the address) to {}, then: systemctl try-restart 'postern-scheduler@*'",
        task, plan.public_url, plan.conf()));
  }
  throw std::runtime_error(fmt::format(
      "the scheduler tried to deliver task {0} to {1}/v1/openapi.json, and it failed ({2}): "
      "`postern task get {0}` says more",
      task, plan.public_url, why));
}

// The answer to one task: a GET of this Postern's own API description, through nginx, as any
// webhook.
std::string deliver(const Plan& plan) {
  auto admin = plan.connect();
  const auto id =
      std::string(admin
                      .exec({"", R"sql(
    SELECT postern.enqueue($1, $2, NULL::jsonb, method => 'GET', max_retries => 0)::text)sql"},
                            db::Params().text(kQueue).text(plan.public_url + "/v1/openapi.json"))
                      .text(0, 0));
  const auto shown = to_typeid(*parse_task_id(id));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < until) {
    const auto row = admin.exec({"", R"sql(
      SELECT state, reason, coalesce(nullif(last_error, ''), reason) AS why
        FROM postern.task_finished WHERE id = $1::uuid)sql"},
                                db::Params().text(id));
    if (row.rows() > 0) {
      if (row.text(0, row.column("state")) == "completed") {
        return fmt::format("task {} was delivered to {}/v1/openapi.json", shown, plan.public_url);
      }
      not_delivered(plan, shown, row.text(0, row.column("reason")), row.text(0, row.column("why")));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  throw std::runtime_error(
      fmt::format("task {0} is not over after 30 s: `postern task get {0}`", shown));
}

Step first_task(Plan& plan) {
  return {"first task",
          [&plan] {
            if (!migrated(plan))
              return open("deliver a first task to Postern's own /v1/openapi.json");
            auto admin = plan.connect();
            const auto earlier =
                admin.exec({"",
                            "SELECT FROM postern.task_finished WHERE queue = $1 AND state = "
                            "'completed' LIMIT 1"},
                           db::Params().text(kQueue));
            if (earlier.rows() > 0) return done("one was delivered");
            if (plan.public_url.empty()) {
              return skipped(
                  "public_url is not known: `postern setup --check --public-url URL` "
                  "delivers one");
            }
            if (db::schedulers_heard(admin).up == 0) {
              return skipped(
                  "no scheduler is alive: when one runs, `postern setup --check` "
                  "delivers one");
            }
            return open(fmt::format("deliver a first task to {}/v1/openapi.json", plan.public_url));
          },
          [&plan] { return deliver(plan); }, "postern queue delete " + std::string(kQueue)};
}

}  // namespace

std::vector<Step> first_steps(Plan& plan) { return {key(plan), first_task(plan)}; }

}  // namespace postern::admin::setup
