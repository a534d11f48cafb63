"""Dear reads."""

from attack import again_and_again, clients

# Half of them are over, half are due tomorrow; each was made a second before the next.
ROWS = """
INSERT INTO postern.queue (tenant, name) SELECT 'attacker', 'old-' || n FROM generate_series(1, 4) n;
CREATE TEMPORARY TABLE made AS
SELECT n, at, encode(substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3) || '\\x7000'
                     || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid AS id
  FROM (SELECT n, now() - n * interval '1 s' AS at FROM generate_series(1, {rows}) n) t;
INSERT INTO postern.task_finished (id, created_at, updated_at, run_at, finished_at, state, tenant, queue, url, body)
SELECT id, at, at, at, at, 'completed', 'attacker', 'old-' || 1 + n % 4, 'http://127.0.0.1:9/', '\\x7b7d' FROM made WHERE n % 8 < 4;
INSERT INTO postern.task (id, created_at, updated_at, run_at, lane, state, tenant, queue, url, body)
SELECT id, at, at, now() + interval '1 day', 1, 'delayed', 'attacker', 'old-' || 1 + n % 4, 'http://127.0.0.1:9/', '\\x7b7d'
  FROM made WHERE n % 8 >= 4;
ANALYZE postern.task_finished;
ANALYZE postern.task;
"""


def many_tasks(pair):
    pair.sql(ROWS.format(rows=pair.size(200_000, 50_000)))


def lists_that_find_nothing(ground):
    return clients(12, ground.seconds, again_and_again, ground, "read", lambda api, _: api.get("/v1/tasks?created_until=2000-01-01"))


# Each looks at all tasks, or at as many as a list may.
DEAR = ["/v1/tasks?tag=none&offset=1000", "/v1/tasks?endpoint=none&offset=1000", "/v1/tasks?tag=none&stream=ndjson&limit=100000",
        "/asyncjobs/v1/tasks?type=none&limit=1000", "/v1/tasks?queue=old-1&status=completed&offset=10000"]


def dear_lists(ground):
    return clients(4 * len(DEAR), ground.seconds, again_and_again, ground, "read",
                   lambda api, number: api.get(DEAR[number % len(DEAR)]))


def answered_or_put_off(_pair, seen):
    """Some may be told that there are too many of them."""
    assert seen["200"] > 0, f"the attacker gets no list at all: {seen}"
    others = {answer for answer in seen if answer[:3] not in ("200", "429")}
    assert not others, f"neither a list nor a clear error: {seen}"
