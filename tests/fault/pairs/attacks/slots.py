"""What the scheduler has for all: places for webhooks, and its steps."""

import collections
import time

from attack import answer_of


def many_queues_that_hang(ground):
    """One batch of tasks that are not answered for half an hour, each in a queue of its own."""
    seen = _hang(ground, 0)
    time.sleep(ground.seconds)
    return seen


def ever_more_queues_that_hang(ground):
    """Such a batch five times a second."""
    begun, seen = time.monotonic(), collections.Counter()
    for number in range(int(5 * ground.seconds)):
        time.sleep(max(0, begun + number / 5 - time.monotonic()))
        seen += _hang(ground, number)
    return seen


def _hang(ground, number):
    api = ground.api()
    reply = api.post("/v1/tasks/batch", {"tasks": [
        {"queue": f"hang-{number}-{n}", "webhook_url": ground.hanging, "timeout": 1800} for n in range(300)]})
    api.close()
    return _results(reply)


def _results(reply):
    """What became of each task of a batch."""
    if reply.status != 200:
        return collections.Counter({answer_of(reply): 1})
    return collections.Counter(result["status"] if "error" not in result else result["error"]["details"].get("reason")
                               for result in reply.json["results"])


def made_or_over_quota(_pair, seen):
    others = {answer for answer in seen if answer not in ("201", "created", "409 quota_exceeded", "quota_exceeded")}
    assert seen["created"] > 0 and not others, f"neither made nor over a quota: {seen}"


ENDPOINTS = """
INSERT INTO postern.queue (tenant, name, paused) VALUES ('attacker', 'paused', true);
INSERT INTO postern.endpoint (tenant, name, url)
SELECT 'attacker', 'e' || n, 'http://127.0.0.1:9/' FROM generate_series(1, {endpoints}) n;
INSERT INTO postern.task (id, state, tenant, queue, endpoint, body)
SELECT postern.new_task_id(), 'ready', 'attacker', 'paused', 'e' || n || ':x', '\\x7b7d' FROM generate_series(1, {lanes}) n;
NOTIFY postern_ready;
"""


def many_endpoints_and_lanes(pair):
    pair.sql(ENDPOINTS.format(endpoints=10_000, lanes=5_000))
    pair.wait_until(lambda: pair.sql("SELECT count(*) FROM postern.task WHERE lane IS NULL") == "0", 60,
                    "the attacker's tasks have lanes")


def more_of_them(ground):
    """More endpoints, and tasks for 500 of the lanes each second."""
    api, seen = ground.api(), collections.Counter()
    begun, number = time.monotonic(), 0
    while time.monotonic() < begun + ground.seconds:
        seen[answer_of(api.post("/v1/endpoints", {"name": f"new-{number}", "url": ground.receiver}))] += 1
        seen += _results(api.post("/v1/tasks/batch", {"tasks": [
            {"queue": "paused", "endpoint": f"e{1 + (500 * number + n) % 5000}:x"} for n in range(500)]}))
        number += 1
        time.sleep(max(0, begun + number - time.monotonic()))
    api.close()
    return seen
