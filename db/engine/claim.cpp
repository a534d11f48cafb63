#include "db/engine/claim.h"

#include <algorithm>

#include <boost/json.hpp>

#include "core/base/base64.h"
#include "core/base/headers_json.h"
#include "db/tasks/columns.h"
#include "db/tasks/dialects.h"

namespace postern::db {

// The order of what happens: allow() weighs pauses and limits, once for each queue and target;
// `picked` takes the tasks, lane by lane, and locks them, so that nobody changes one that is
// claimed; their leases are inserted, which says who has them, and the tokens they cost are taken.
// MATERIALIZED, so that the claim never takes more than asked whatever the planner thinks of it.
// SKIP LOCKED shares the lanes with other schedulers; a task that one of them has claimed since
// this statement's snapshot was taken has a lease already, and is not `ours`.
// A lane is scanned from where the scheduler last was in it: $8 to $11 give the parts of the scan,
// those of a lane together, each from a (rank, start, id) to a rank, where a rank is 100 less the
// priority. Here and in the other statements, batches find their rows by = ANY or LATERAL, never by
// a plain join: on a table that looked small when the plan was made, a join reads the whole table
// and compares each row with the batch (20,000 tasks in a fresh database: 800 webhooks/s instead of
// 10,000).
// What an attempt takes from its endpoint and queue is decided in here, so that a change to them is
// in force for tasks that wait; the endpoint is the one that allow() saw, which asks the tables
// later than this statement does. The tenant's secrets come along, so that a rotation is in force
// at once. The tasks of some dialects ($15) have no timeout but the queue's max_runtime, an hour if
// it has none. The results of other tasks are 16 KiB each, and one claim brings a few hundred of
// them and no more; what is left of the lane is claimed next. An endpoint that took a secret of its
// own has '' for the previous one: the tenant's.
const BuiltStatement kClaim{"claim", R"sql(
  WITH allowed AS MATERIALIZED (SELECT * FROM postern.allow($1, $2, $3, $4, $5)),
  parts AS MATERIALIZED (
    SELECT part, most FROM allowed WHERE most IS DISTINCT FROM 0 GROUP BY part, most),
  picked AS MATERIALIZED (
    SELECT p.* FROM parts g CROSS JOIN LATERAL (
      SELECT t.*, w.part, w.most, w.free, w.target,
             now() + $14 * interval '1 second' + interval '1 millisecond' * least(
               coalesce(t.timeout_ms,
                        CASE WHEN t.dialect = ANY($15) THEN coalesce((w.target).timeout_ms, w.runtime_ms, 3600000) END,
                        w.default_ms), w.runtime_ms, 86400000) AS lease_until,
             CASE WHEN t.load_results THEN coalesce(cardinality(t.dependencies), 0) ELSE 0 END AS results
        FROM allowed w CROSS JOIN LATERAL (
          SELECT f.* FROM generate_series(($6::int4[])[w.n], ($7::int4[])[w.n]) s(i) CROSS JOIN LATERAL (
            SELECT * FROM postern.task k
             WHERE k.lane = w.lane AND k.state = 'ready'
               AND ((100 - k.priority), k.run_at, k.id)
                   >= (($8::int4[])[s.i], ($9::timestamptz[])[s.i], ($10::uuid[])[s.i])
               AND (100 - k.priority) <= ($11::int4[])[s.i]
               AND NOT EXISTS (SELECT FROM postern.lease l WHERE l.task = k.id)
             ORDER BY (100 - k.priority), k.run_at, k.id LIMIT w.free FOR NO KEY UPDATE OF k SKIP LOCKED) f
           LIMIT w.free) t
       WHERE w.part = g.part LIMIT g.most) p),
  weighed AS MATERIALIZED (
    SELECT *, results = 0 OR sum(results) OVER (ROWS UNBOUNDED PRECEDING) - results < 256 AS fits FROM picked),
  leased AS (
    INSERT INTO postern.lease (task, lease, instance, until, tenant, queue, resolved)
    SELECT id, $12, $13, lease_until, tenant, queue, (target).name FROM weighed WHERE fits
    ON CONFLICT DO NOTHING
    RETURNING task),
  undisputed AS MATERIALIZED (
    SELECT (SELECT count(*) FROM leased) = (SELECT count(*) FROM weighed WHERE fits) AS all_of_them),
  judged AS (
    SELECT *, fits AND ((SELECT all_of_them FROM undisputed) OR id = ANY(ARRAY(SELECT task FROM leased))) AS ours
      FROM weighed),
  spent AS MATERIALIZED (
    SELECT count(postern.spend(tenant, queue, endpoint, taken)) AS parts
      FROM (SELECT tenant, queue, (target).name AS endpoint, count(*)::integer AS taken
              FROM judged WHERE ours AND most IS NOT NULL GROUP BY 1, 2, 3) taken),
  claimed AS (
    SELECT * FROM judged WHERE ours AND (SELECT parts FROM spent) >= 0)
  SELECT )sql" + spec_columns(Body::whole) +
                                         R"sql(,
         lane, attempt + 1 AS attempt, attempt_base, created_at, run_at, now() AS claimed_at, lease_until,
         deadline < now() AS past_deadline, (target).name AS resolved,
         (target).url AS endpoint_url, (target).method AS endpoint_method, (target).headers AS endpoint_headers,
         coalesce((target).secret, s.secret) AS signing_secret,
         CASE WHEN (target).secret IS NULL THEN s.previous
              WHEN (target).previous_until > now() THEN coalesce(nullif((target).previous, ''), s.secret) END AS previous_secret,
         CASE WHEN load_results THEN postern.results_of(tenant, dependencies) END AS dependency_results,
         held, wait_ms, full_up
    FROM claimed c
    LEFT JOIN (SELECT tenant AS of_tenant, secret,
                      CASE WHEN previous_until > now() THEN previous END AS previous
                 FROM postern.tenant_secret) s ON s.of_tenant = c.tenant
    FULL JOIN (
      SELECT w.lane AS held, w.wait_ms, w.full_up FROM allowed w
       WHERE w.wait_ms IS NOT NULL
         AND (w.most = 0 OR w.part = ANY(ARRAY(SELECT part FROM picked GROUP BY part, most HAVING count(*) >= most)))
         AND w.lane <> ALL(ARRAY(SELECT lane FROM picked GROUP BY lane, free HAVING count(*) >= free))
      UNION ALL SELECT lane, 1, false FROM judged WHERE NOT ours GROUP BY lane) h ON false)sql"};

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

std::vector<DependencyResult> results_from(std::string_view json) {
  std::vector<DependencyResult> out;
  const auto rows = boost::json::parse(json);
  for (const auto& each : rows.as_array()) {
    const auto& row = each.as_array();
    const auto id = parse_task_id(row.at(0).as_string());
    if (!id) continue;
    const auto* body = row.at(1).if_string();
    out.push_back({*id, body == nullptr ? std::string() : base64_decode(*body).value_or(""),
                   Time{Microseconds{row.at(2).as_int64()}}});
  }
  return out;
}

void add_secret(Claimed& claimed, const Cell& cell) {
  if (!cell.is_null()) claimed.secrets.emplace_back(cell.text());
}

// What a claim tells besides the spec, which is read first. The endpoint says where and how, and a
// header of the task wins over one of the endpoint.
constexpr Column<Claimed> kClaimedColumns[] = {
    {"lane", [](Claimed& claimed, const Cell& cell) { claimed.lane = cell.integer(); }},
    {"attempt", [](Claimed& claimed, const Cell& cell) { claimed.attempt = cell.int4(); }},
    {"attempt_base",
     [](Claimed& claimed, const Cell& cell) { claimed.attempt_base = cell.int4(); }},
    {"created_at", [](Claimed& claimed, const Cell& cell) { claimed.created_at = cell.time(); }},
    {"run_at", [](Claimed& claimed, const Cell& cell) { claimed.run_at = cell.time(); }},
    {"claimed_at", [](Claimed& claimed, const Cell& cell) { claimed.claimed_at = cell.time(); }},
    {"lease_until", [](Claimed& claimed, const Cell& cell) { claimed.lease_until = cell.time(); }},
    {"past_deadline",
     [](Claimed& claimed, const Cell& cell) {
       claimed.past_deadline = !cell.is_null() && cell.boolean();
     }},
    {"resolved",
     [](Claimed& claimed, const Cell& cell) { claimed.resolved = cell.text_or_null(); }},
    {"endpoint_url",
     [](Claimed& claimed, const Cell& cell) {
       if (!cell.is_null()) claimed.spec.url = cell.text();
     }},
    {"endpoint_method",
     [](Claimed& claimed, const Cell& cell) {
       if (!cell.is_null()) claimed.spec.method = cell.text();
     }},
    {"endpoint_headers",
     [](Claimed& claimed, const Cell& cell) {
       if (!cell.is_null()) add_missing(claimed.spec.headers, headers_from_json(cell.text()));
     }},
    {"signing_secret", add_secret},
    {"previous_secret", add_secret},
    {"dependency_results",
     [](Claimed& claimed, const Cell& cell) {
       if (!cell.is_null()) claimed.results = results_from(cell.text());
     }},
};

constexpr Column<HeldLane> kHeldColumns[] = {
    {"held", [](HeldLane& held, const Cell& cell) { held.lane = cell.integer(); }},
    {"wait_ms", [](HeldLane& held, const Cell& cell) { held.wait = Milliseconds{cell.integer()}; }},
    {"full_up", [](HeldLane& held, const Cell& cell) { held.full_up = cell.boolean(); }},
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
    read_spec.read(i, claimed.spec);
    read_claimed.read(i, claimed);
    claimed.lease = lease;
    claimed.spec.timeout =
        std::chrono::round<Milliseconds>(claimed.lease_until - claimed.claimed_at) - grace;
  }
  return out;
}

}  // namespace postern::db
