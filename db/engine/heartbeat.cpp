#include "db/engine/heartbeat.h"

namespace postern::db {

const Statement kBeat{"beat", R"sql(
  WITH mine AS (
    INSERT INTO postern.instance AS i (id, program, name, version, gauges)
    VALUES ($1, 'postern-scheduler', $2, $3, $4::jsonb)
    ON CONFLICT (id) DO UPDATE SET beat = i.beat + 1, beat_at = now(), gauges = excluded.gauges)
  SELECT id, name, beat, clock_timestamp() AS clock FROM postern.instance WHERE program = 'postern-scheduler')sql"};

Params beat_params(const Uuid& id, std::string_view name, const SchedulerGauges& gauges) {
  Params params;
  params.uuid(id).text(name).text(POSTERN_VERSION).text(to_json(gauges));
  return params;
}

std::vector<Heartbeat> beats_from(const PgResult& result) {
  std::vector<Heartbeat> out;
  for (int i = 0; i < result.rows(); ++i) {
    out.push_back({result.uuid(i, 0), std::string(result.text(i, 1)), result.integer(i, 2),
                   result.time(i, 3)});
  }
  return out;
}

const Statement kLeave{"leave", "DELETE FROM postern.instance WHERE id = $1"};

Params leave_params(const Uuid& id) {
  Params params;
  params.uuid(id);
  return params;
}

namespace {

constexpr Statement kBeatHandler{"beat_handler", R"sql(
  INSERT INTO postern.instance AS i (id, program, name, version, gauges)
  VALUES ($1, 'postern-fcgi', $2, $3, jsonb_build_object('cell', $4))
  ON CONFLICT (id) DO UPDATE SET beat = i.beat + 1, beat_at = now()
  RETURNING clock_timestamp())sql"};

}  // namespace

Time beat_handler(PgConnection& connection, const Uuid& id, std::string_view name,
                  std::string_view cell) {
  const auto params = Params().uuid(id).text(name).text(POSTERN_VERSION).text(cell);
  return connection.exec(kBeatHandler, params).time(0, 0);
}

}  // namespace postern::db
