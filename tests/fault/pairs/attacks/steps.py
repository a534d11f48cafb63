"""Steps of the scheduler and of the handlers that grow with one tenant's numbers."""

import collections
import time

from attack import again_and_again, answer_of, clients, sql

# Tasks as the API would make them, but fast. Without ANALYZE: what comes all of a sudden is not in the planner's numbers.
TASKS = """
INSERT INTO postern.queue (tenant, name)
SELECT DISTINCT 'attacker', {queue} FROM generate_series(1, {rows}) n ON CONFLICT DO NOTHING;
INSERT INTO postern.task (id, created_at, updated_at, run_at, lane, state, tenant, queue, url, dependencies, body)
SELECT postern.new_task_id(), now() - interval '1 hour', now(), {run_at}, 1 + n % 300, '{state}', 'attacker', {queue},
       '{url}', {dependencies}, '\\x7b7d'
  FROM generate_series(1, {rows}) n;
INSERT INTO postern.counter (instance, tenant, queue, name, value)
SELECT gen_random_uuid(), 'attacker', queue, 'created', count(*)
  FROM (SELECT {queue} AS queue FROM generate_series(1, {rows}) n) t GROUP BY queue;
"""


def _insert(pair, rows, state, queue, run_at, dependencies="NULL", url=None):
    """`queue`, `run_at`: SQL of the task's number n."""
    pair.sql(TASKS.format(rows=rows, state=state, queue=queue, run_at=run_at, dependencies=dependencies,
                          url=url or pair.ground.receiver))


# --- dependents ----------------------------------------------------------------------------------


def two_tasks_with_dependents(pair):
    """Many of each: one will complete, the other will be cancelled."""
    api = pair.api()
    for queue in ("completes", "cancelled"):
        reply = api.post("/v1/tasks", {"queue": "first-" + queue, "webhook_url": pair.ground.receiver, "delay": 86400})
        assert reply.status == 201, reply.body
        number = pair.sql(f"SELECT id FROM postern.task WHERE tenant = 'attacker' AND queue = 'first-{queue}'")
        _insert(pair, pair.size(20_000, 5_000), "blocked", f"'{queue}'", "now()", dependencies=f"ARRAY['{number}'::uuid]")
    pair.sql("INSERT INTO postern.dependency (task, depends_on) "
             "SELECT id, dependencies[1] FROM postern.task WHERE tenant = 'attacker' AND state = 'blocked'")
    api.close()


def end_both(ground):
    api, seen = ground.api(), collections.Counter()
    for queue, how in (("completes", "run"), ("cancelled", "cancel")):
        [first] = api.get(f"/v1/tasks?queue=first-{queue}").json["tasks"]
        seen[answer_of(api.post(f"/v1/tasks/{first['id']}/{how}"))] += 1
    api.close()
    time.sleep(ground.seconds)
    return seen


def all_are_seen_to(pair, seen):
    assert set(seen) == {"200"}, f"not ended: {seen}"
    _goes_on(pair, "state = 'blocked'", "dependents are seen to")


def _goes_on(pair, which, what):
    """At full size until nothing is left, which takes minutes, as duties take a tenth of a connection's time; else it
    is enough that there becomes less of it."""
    begun = _left(pair, which)
    pair.wait_until(lambda: (left := _left(pair, which)) == 0 or (left < begun and not pair.full), pair.size(400, 60), what)


def _left(pair, which):
    return int(pair.sql(f"SELECT count(*) FROM postern.task WHERE tenant = 'attacker' AND {which}"))


# --- limits of queues ----------------------------------------------------------------------------


def many_queues_of_old_tasks(pair):
    _insert(pair, 300 * pair.size(500, 100), "ready", "'old-' || n % 300", "now() - interval '1 hour'", url=pair.ground.hanging)


def give_them_a_max_age(ground):
    api, seen = ground.api(), collections.Counter()
    begun = time.monotonic()
    for number in range(300):
        seen[answer_of(api.request("PATCH", f"/v1/queues/old-{number}", {"max_age": "1s"}))] += 1
    api.close()
    time.sleep(max(0, begun + ground.seconds - time.monotonic()))
    return seen


def they_expire(pair, seen):
    assert set(seen) == {"200"}, f"not changed: {seen}"
    _goes_on(pair, "state = 'ready'", "tasks expire")


def a_full_queue(pair):
    _insert(pair, pair.size(60_000, 20_000), "delayed", "'full'", "now() + interval '1 day'")


def discard_what_is_old(ground):
    api = ground.api()
    seen = collections.Counter({answer_of(api.request("PATCH", "/v1/queues/full", {"max_entries": 1, "discard_old": True})): 1})
    api.close()
    task = {"queue": "full", "webhook_url": ground.receiver, "delay": 86400}
    return seen + clients(8, ground.seconds, again_and_again, ground, "admin", lambda api, _: api.post("/v1/tasks", task))


def taken_or_full(_pair, seen):
    assert seen["201"] > 0, f"the attacker's tasks are not taken: {seen}"
    others = {answer for answer in seen if answer[:3] not in ("200", "201", "409", "429")}
    assert not others, f"neither taken nor a clear error: {seen}"


# --- a lock for all ------------------------------------------------------------------------------

def retry_what_is_not_there(ground):
    return _retry(ground, 1)


def retry_hundreds_that_are_not_there(ground):
    return _retry(ground, 100)


def _retry(ground, ids):
    nobody = {"ids": [f"0197b000-0000-7000-8000-00000000{number:04}" for number in range(ids)]}
    return clients(16, ground.seconds, again_and_again, ground, "worker",
                   lambda api, _: api.post("/v1/tasks/retry", nobody), 350 / 16)


def not_found(_pair, seen):
    others = {answer for answer in seen if answer[:3] not in ("200", "429")}
    assert seen["200"] > 0 and not others, f"neither answered nor a clear error: {seen}"


# --- schedules -----------------------------------------------------------------------------------

# As the API would make them. Those of one second are due again when they have hardly fired.
SCHEDULES = """
INSERT INTO postern.schedule (tenant, name, spec, interval_seconds, queue, task, misfire, misfire_limit, next_at, paused)
SELECT 'attacker', 's' || n, '@every {seconds}s', {seconds}, 'scheduled',
       '{{"queue": "scheduled", "url": "{url}"}}', 'all', 100, now(), true
  FROM generate_series(1, {rows}) n;
"""


def many_schedules_of_a_second(pair):
    _schedules(pair, 1, pair.size(20_000, 10_000))


def many_schedules_of_a_minute(pair):
    _schedules(pair, 60, 20_000)


def _schedules(pair, seconds, rows):
    pair.sql(SCHEDULES.format(seconds=seconds, url=pair.ground.receiver, rows=rows))


def let_them_fire(ground):
    """All are due in one moment, a minute after they were made."""
    failed = sql(ground, "UPDATE postern.schedule SET paused = false, next_at = date_trunc('second', now()), "
                         "created_at = date_trunc('second', now()) - interval '1 minute' "
                         "WHERE tenant = 'attacker'; NOTIFY postern_ready", ground.owner)
    time.sleep(ground.seconds)
    return collections.Counter({failed or "fired": 1})


def they_fire(pair, seen):
    assert set(seen) == {"fired"}, f"not fired: {seen}"
    skipped = pair.sql("SELECT DISTINCT skipped FROM postern.schedule_run WHERE tenant = 'attacker' AND skipped <> 'missed'")
    assert not skipped, f"occurrences were skipped: {skipped}"
    seen["tasks"] = int(pair.sql("SELECT count(*) FROM postern.schedule_run WHERE tenant = 'attacker' AND task IS NOT NULL"))
    assert seen["tasks"] > 0, "the attacker's schedules do not fire"
    worst = float(pair.sql("SELECT max(extract(epoch FROM fired_at - nominal_time)) FROM postern.schedule_run WHERE tenant = 'victim'"))
    assert worst < 5, f"the victim's schedule of one second was {worst:.1f} s late"
