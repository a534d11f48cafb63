#include "db/engine/claim.h"

#include <algorithm>

#include <boost/json.hpp>

#include "core/base/base64.h"
#include "core/base/headers_json.h"
#include "db/tasks/columns.h"
#include "db/tasks/dialects.h"

namespace postern::db {

// MATERIALIZED, so that the claim never takes more than asked whatever the planner thinks of it.
// SKIP LOCKED shares the lanes with other schedulers. The tenant's secrets come along, so that a
// rotation is in force at once.
// Here and in the other statements, batches find their rows by = ANY or LATERAL, never by a plain
// join: on a table that looked small when the plan was made, a join reads the whole table and
// compares each row with the batch (20,000 tasks in a fresh database: 800 webhooks/s instead of
// 10,000). What an attempt takes from its endpoint and queue is decided in here, so that a change
// to them is in force for tasks that wait; the endpoint is the one that allow() saw, which asks the
// tables later than this statement does. The tasks of some dialects ($6) have no timeout but the
// queue's max_runtime, an hour if it has none. The results of other tasks are 16 KiB each, and one
// claim brings a few hundred of them and no more; what is left of the lane is claimed next, and its
// tokens go back. An endpoint that took a secret of its own has '' for the previous one: the
// tenant's.
const BuiltStatement kClaim{"claim", R"sql(
  WITH allowed AS MATERIALIZED (SELECT * FROM postern.allow($1, $2)),
  picked AS MATERIALIZED (
    SELECT t.*, w.lane, (w.target).name AS endpoint FROM allowed w
     CROSS JOIN LATERAL (
       SELECT id, tenant, queue, CASE WHEN load_results THEN coalesce(cardinality(dependencies), 0) ELSE 0 END AS results FROM postern.task
        WHERE lane = w.lane AND state = 'ready'
        ORDER BY priority DESC, run_at, id LIMIT w.free FOR NO KEY UPDATE SKIP LOCKED) t),
  weighed AS (
    SELECT *, results = 0 OR sum(results) OVER (ROWS UNBOUNDED PRECEDING) - results < 256 AS fits FROM picked),
  left_over AS MATERIALIZED (
    SELECT lane, postern.refund(tenant, queue, endpoint, count(*)::integer) AS refunded
      FROM weighed WHERE NOT fits GROUP BY lane, tenant, queue, endpoint),
  claimed AS (
    UPDATE postern.task t
       SET state = 'active', attempt = attempt + 1, lease = $3, instance = $4, claimed_at = now(),
           updated_at = now(),
           lease_until = now() + $5 * interval '1 second' + interval '1 millisecond'
             * (SELECT least(coalesce(t.timeout_ms,
                                      CASE WHEN t.dialect = ANY($6) THEN coalesce(
                                        (a.target).timeout_ms,
                                        (SELECT a.most_ms FROM postern.queue q
                                          WHERE q.tenant = t.tenant AND q.name = t.queue AND q.max_runtime IS NOT NULL),
                                        3600000) END,
                                      a.default_ms), a.most_ms) FROM allowed a WHERE a.lane = t.lane),
           resolved = CASE WHEN t.endpoint IS NOT NULL
                           THEN (SELECT (a.target).name FROM allowed a WHERE a.lane = t.lane) END
     WHERE t.id = ANY(ARRAY(SELECT id FROM weighed WHERE fits))
    RETURNING t.*)
  SELECT )sql" + spec_columns(Body::whole) +
                                         R"sql(,
         lane, attempt, attempt_base, claimed_at, lease_until, deadline < claimed_at AS past_deadline, resolved,
         (e.target).url AS endpoint_url, (e.target).method AS endpoint_method, (e.target).headers AS endpoint_headers,
         coalesce((e.target).secret, s.secret) AS signing_secret,
         CASE WHEN (e.target).secret IS NULL THEN s.previous
              WHEN (e.target).previous_until > now() THEN coalesce(nullif((e.target).previous, ''), s.secret) END AS previous_secret,
         created_at,
         CASE WHEN load_results THEN (
           SELECT json_agg(json_build_array(f.id, replace(encode(f.result_body, 'base64'), E'\n', ''),
                                            (extract(epoch FROM f.finished_at) * 1000000)::bigint))
             FROM unnest(dependencies) AS d(id)
             JOIN postern.task_finished f ON f.id = d.id AND f.tenant = c.tenant
              AND f.finished_at >= postern.finished_since(d.id) AND f.state = 'completed')::text END AS dependency_results,
         held, wait_ms, full_up
    FROM claimed c
    LEFT JOIN (SELECT tenant AS of_tenant, secret,
                      CASE WHEN previous_until > now() THEN previous END AS previous
                 FROM postern.tenant_secret) s ON s.of_tenant = c.tenant
    LEFT JOIN LATERAL (SELECT a.target FROM allowed a WHERE c.endpoint IS NOT NULL AND a.lane = c.lane) e ON true
    FULL JOIN (SELECT w.lane AS held, w.wait_ms, w.full_up FROM allowed w WHERE w.wait_ms IS NOT NULL
               UNION ALL SELECT lane, 1, false FROM left_over WHERE refunded > 0) h ON false)sql"};

Params claim_params(std::span<const LaneSlots> lanes, const Uuid& lease, const Uuid& instance,
                    Seconds grace) {
  Array lane(Oid::int8), free(Oid::int4);
  for (const auto& slots : lanes) {
    lane.int8(slots.lane);
    free.int4(slots.free);
  }
  Params params;
  params.array(lane).array(free).uuid(lease).uuid(instance).int8(grace.count());
  params.array(dialects_with(&DialectTraits::queue_timeout));
  return params;
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
