"""Fills a stack with what a busy installation has, so that every screen of the dashboard shows something."""

import time

from harness import Answer, wait_until


def furnish(api, receiver):
    """Queues, endpoints, schedules and tasks in every status. Returns names and ids that tests look for."""
    receiver.on("/ok", 200)
    receiver.on("/broken", Answer(503, body=b'{"error": "the mail server is down"}'))
    receiver.on("/gone", 410)
    receiver.on("/slow", Answer(delay=25))

    def made(reply):
        assert reply.status in (200, 201), (reply.status, reply.body)
        return reply.json

    def task(queue, **fields):
        return made(api.post("/v1/tasks", {"queue": queue, **fields}))["id"]

    made(api.post("/v1/queues", {"name": "emails", "max_concurrent": 20, "rate_limit": {"count": 50, "period_seconds": 1}}))
    made(api.post("/v1/queues", {"name": "reports", "max_age": "24h", "max_entries": 5000}))
    for name, path, more in (("mail", "/ok", {"max_in_flight": 20, "timeout_seconds": 10}),
                             ("mail:newsletter", "/broken", {}), ("billing", "/slow", {"max_in_flight": 4})):
        made(api.post("/v1/endpoints", {"name": name, "url": receiver.url(path), **more}))
    for name, when in (("nightly-report", {"schedule": "30 2 * * *", "timezone": "Europe/Berlin"}),
                       ("every-minute", {"interval_seconds": 60}), ("first-of-month", {"schedule": "0 6 1 * *"})):
        made(api.post("/v1/schedules", {"name": name, "queue": "reports", "webhook_url": receiver.url("/ok"),
                                        "payload": {"kind": name}, **when}))
    made(api.post("/v1/schedules/first-of-month/pause"))
    run = made(api.post("/v1/schedules/nightly-report/trigger"))

    done = [task("emails", endpoint="mail", payload={"to": f"user{n}@customer.example", "template": "welcome"},
                 tags=["welcome"]) for n in range(30)]
    failed = [task("emails", endpoint="mail:newsletter", payload={"issue": n}, max_retries=0) for n in range(8)]
    failed += [task("imports", webhook_url=receiver.url("/gone"), max_retries=3) for _ in range(3)]
    retrying = task("emails", webhook_url=receiver.url("/broken"), payload={"to": "a@b.example"}, priority=8,
                    retry_policy={"intervals": [3600]}, max_retries=5, tags=["invoice"])
    slow = [task("invoices", endpoint="billing", payload={"invoice": n}) for n in range(3)]
    delayed = task("reports", webhook_url=receiver.url("/ok"), payload={"year": 2026}, delay=7200)
    blocked = task("reports", webhook_url=receiver.url("/ok"), dependencies=[delayed])
    made(api.post("/v1/queues", {"name": "newsletter"}))
    made(api.post("/v1/queues/newsletter/pause"))
    waiting = [task("newsletter", webhook_url=receiver.url("/ok"), payload={"n": n}) for n in range(12)]

    def over(task_id):
        return api.get(f"/v1/tasks/{task_id}").json["status"] in ("completed", "failed")

    wait_until(lambda: api.get("/v1/endpoints/billing").json["health"]["in_flight"] == 3)  # first, while they are
    for each in (*done, *failed):
        wait_until(lambda each=each: over(each))
    wait_until(lambda: api.get(f"/v1/tasks/{retrying}").json["attempt_count"] == 1)
    wait_until(lambda: {each["name"]: each["depth"]["ready"] for each in api.get("/v1/stats").json["queues"]}["newsletter"] == 12)
    return {"done": done[0], "failed": failed[0], "retrying": retrying, "slow": slow[0], "delayed": delayed,
            "blocked": blocked, "waiting": waiting[0], "made_by_schedule": run["task_id"], "at": time.time()}


# As if the schedulers had counted for an hour: that is what charts show.
HISTORY = """
INSERT INTO postern.counted_minute
SELECT date_trunc('minute', now()) - n * interval '1 minute' FROM generate_series(1, 60) AS n ON CONFLICT DO NOTHING;
WITH made AS (
  SELECT date_trunc('minute', now()) - n * interval '1 minute' AS minute, queue,
         round(level * (1 + 0.4 * sin(n / 8.0) + 0.15 * sin(n * 1.7)))::bigint AS completed,
         CASE WHEN queue = 'emails' AND n % 13 < 2 THEN 6 ELSE 0 END AS failed
    FROM generate_series(1, 60) AS n, (VALUES ('emails', 120), ('reports', 12), ('invoices', 30)) AS q(queue, level))
INSERT INTO postern.queue_minute (minute, tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed, queues)
SELECT minute, 'default', queue, completed + failed, completed, failed, 0, completed + 2 * failed, 2 * failed, 0 FROM made
UNION ALL
SELECT minute, 'default', '', sum(completed + failed), sum(completed), sum(failed), 0, sum(completed + 2 * failed),
       sum(2 * failed), 3 FROM made GROUP BY minute ON CONFLICT DO NOTHING;
INSERT INTO postern.endpoint_minute (tenant, endpoint, minute, instance, attempts, failed, durations)
SELECT tenant, endpoint, minute - n * interval '1 minute', instance, round(attempts * (2 + sin(n / 6.0)))::bigint, failed, durations
  FROM postern.endpoint_minute, generate_series(1, 59) AS n ON CONFLICT DO NOTHING;
"""
