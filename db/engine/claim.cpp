#include "db/engine/claim.h"

#include <algorithm>

#include <boost/json.hpp>

#include "core/base/base64.h"
#include "core/base/headers_json.h"
#include "db/tasks/columns.h"
#include "db/tasks/dependency_results.h"
#include "db/tasks/dialects.h"

namespace postern::db {

// postern.claim locks and leases; what is to be sent is read after that, by functions, which see
// what is there then. So a change to a task, an endpoint or a secret is in force once it was
// acknowledged. The results of other tasks are read for those alone that take them along. An
// endpoint that took a secret of its own has '' for the previous one: the tenant's.
const BuiltStatement kClaim{"claim", R"sql(
  WITH claim AS MATERIALIZED (
    SELECT * FROM postern.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15))
  SELECT )sql" + spec_columns(Body::whole) +
                                         R"sql(,
         lane, attempt::bigint + 1 AS attempt, attempt_base, created_at, run_at, now() AS claimed_at, lease_until,
         deadline < now() AS past_deadline, went_to AS resolved, endpoint_url, endpoint_method, endpoint_headers,
         coalesce(endpoint_secret, s.secret) AS signing_secret,
         CASE WHEN endpoint_secret IS NULL THEN s.previous
              WHEN endpoint_previous_until > now() THEN coalesce(nullif(endpoint_previous, ''), s.secret) END AS previous_secret,
         CASE WHEN load_results THEN postern.results_of(tenant, dependencies) END AS dependency_results,
         held, wait_ms, full_up
    FROM (SELECT c.*, c.unnest AS lease_until
            FROM ROWS FROM (postern.claimed_tasks((SELECT ids FROM claim)), unnest((SELECT untils FROM claim)),
                            postern.claimed_endpoints((SELECT tenants FROM claim), (SELECT endpoints FROM claim))) c) c
    LEFT JOIN LATERAL (SELECT secret, CASE WHEN previous_until > now() THEN previous END AS previous
                         FROM postern.tenant_secret t WHERE t.tenant = c.tenant OFFSET 0) s ON true
    FULL JOIN (SELECT h.* FROM claim, unnest(held, waits, full_ups) AS h(held, wait_ms, full_up)) h ON false)sql"};

Params claim_params(std::span<const LaneClaim> lanes, const Uuid& lease, const Uuid& instance,
                    Seconds grace) {
  Array lane(Oid::int8), free(Oid::int4), tenant(Oid::text), queue(Oid::text), endpoint(Oid::text);
  Array first(Oid::int4), last(Oid::int4);
  LaneScans scans;
  for (const auto& [slots, name, marks] : lanes) {
    lane.int8(slots.lane);
    free.int4(slots.free);
    if (name == nullptr) {
      tenant.null();
      queue.null();
      endpoint.null();
    } else {
      tenant.text(name->tenant);
      queue.text(name->queue);
      endpoint.text_or_null(name->endpoint);
    }
    first.int4(scans.size() + 1);
    scans.add(marks);
    last.int4(scans.size());
  }
  Params params;
  for (const auto* column : {&lane, &free, &tenant, &queue, &endpoint, &first, &last}) {
    params.array(*column);
  }
  scans.add_to(params);
  params.uuid(lease).uuid(instance).int8(grace.count());
  params.array(dialects_with(&DialectTraits::queue_timeout));
  return params;
}

Params claim_params(std::span<const LaneSlots> lanes, const Uuid& lease, const Uuid& instance,
                    Seconds grace) {
  std::vector<LaneClaim> claims;
  claims.reserve(lanes.size());
  for (const auto& slots : lanes) claims.push_back({slots});
  return claim_params(claims, lease, instance, grace);
}

namespace {

// Adds those of `others` that `headers` have not.
void add_missing(Headers& headers, Headers others) {
  for (auto& header : others) {
    const bool given = std::any_of(headers.begin(), headers.end(), [&](const auto& own) {
      return equal_ignoring_case(own.name, header.name);
    });
    if (!given) headers.push_back(std::move(header));
  }
}

void add_secret(Claimed& claimed, const Value& value) {
  if (!value.is_null()) claimed.secrets.emplace_back(value.text());
}

// What a claim tells besides the spec, which is read first. The endpoint says where and how, and a
// header of the task wins over one of the endpoint.
constexpr Column<Claimed> kClaimedColumns[] = {
    {"lane", [](Claimed& claimed, const Value& value) { claimed.lane = value.integer(); }},
    {"attempt", [](Claimed& claimed, const Value& value) { claimed.attempt = value.int4(); }},
    {"attempt_base",
     [](Claimed& claimed, const Value& value) { claimed.attempt_base = value.int4(); }},
    {"created_at", [](Claimed& claimed, const Value& value) { claimed.created_at = value.time(); }},
    {"run_at", [](Claimed& claimed, const Value& value) { claimed.run_at = value.time(); }},
    {"claimed_at", [](Claimed& claimed, const Value& value) { claimed.claimed_at = value.time(); }},
    {"lease_until",
     [](Claimed& claimed, const Value& value) { claimed.lease_until = value.time(); }},
    {"past_deadline",
     [](Claimed& claimed, const Value& value) {
       claimed.past_deadline = !value.is_null() && value.boolean();
     }},
    {"resolved",
     [](Claimed& claimed, const Value& value) { claimed.resolved = value.text_or_null(); }},
    {"endpoint_url",
     [](Claimed& claimed, const Value& value) {
       if (!value.is_null()) claimed.spec.url = value.text();
     }},
    {"endpoint_method",
     [](Claimed& claimed, const Value& value) {
       if (!value.is_null()) claimed.spec.method = value.text();
     }},
    {"endpoint_headers",
     [](Claimed& claimed, const Value& value) {
       if (!value.is_null()) add_missing(claimed.spec.headers, headers_from_json(value.text()));
     }},
    {"signing_secret", add_secret},
    {"previous_secret", add_secret},
    {"dependency_results",
     [](Claimed& claimed, const Value& value) {
       if (!value.is_null()) claimed.results = dependency_results_from(value.text());
     }},
};

constexpr Column<HeldLane> kHeldColumns[] = {
    {"held", [](HeldLane& held, const Value& value) { held.lane = value.integer(); }},
    {"wait_ms",
     [](HeldLane& held, const Value& value) { held.wait = Milliseconds{value.integer()}; }},
    {"full_up", [](HeldLane& held, const Value& value) { held.full_up = value.boolean(); }},
};

}  // namespace

ClaimAnswer claimed_from(const PgResult& result, const Uuid& lease, Seconds grace) {
  ClaimAnswer out;
  out.tasks.reserve(static_cast<std::size_t>(result.rows()));
  const SpecReader read_spec(result);
  const RowReader<Claimed> read_claimed(result, kClaimedColumns);
  const RowReader<HeldLane> read_held(result, kHeldColumns);
  const int held = result.column("held");
  for (int i = 0; i < result.rows(); ++i) {
    if (!result.is_null(i, held)) {
      out.held.push_back(read_held(i));
      continue;
    }
    Claimed& claimed = out.tasks.emplace_back();
    claimed.unreadable = read_spec.read_what_can_be(i, claimed.spec);
    const std::string rest = read_claimed.read_what_can_be(i, claimed);
    if (claimed.unreadable.empty()) claimed.unreadable = rest;
    claimed.lease = lease;
    claimed.spec.timeout =
        std::chrono::round<Milliseconds>(claimed.lease_until - claimed.claimed_at) - grace;
  }
  return out;
}

}  // namespace postern::db
