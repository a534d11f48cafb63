#!/usr/bin/python3
"""What happened, over the API and by the command: series by minute, failures in groups, times before they are set."""

import unittest

from commanding import Commanding
from harness import Answer


class Numbers(Commanding):
    def count_now(self):
        """Has the scheduler count what happened until now, as if a minute had just gone by. Not when one is about to do so:
        over two minutes nothing is counted."""
        now = self.stack.postgres.psql("SELECT clock_timestamp()")
        minute = "date_trunc('minute', now() - interval '{}')"
        self.wait_until(lambda: self.stack.postgres.psql(
            "UPDATE postern.minute_pass SET minute = minute - interval '1 minute' WHERE done"
            f" AND minute = {minute.format('6 s')} - interval '1 minute' AND {minute.format('6 s')} = {minute.format('-9 s')}"
            " RETURNING 'begun'") == "begun", 60, "the last whole minute is counted, and it is not over soon")
        self.wait_until(lambda: self.stack.postgres.psql(f"SELECT done AND step_at > '{now}' FROM postern.minute_pass") == "t",
                        what="a pass over the counters")

    def attempts_told(self):
        """The number of attempts, once the scheduler has told of all of them for the minutes."""
        told = "SELECT coalesce(sum(attempts), 0) FROM postern.endpoint_minute WHERE endpoint = '/all'"
        made = "SELECT coalesce(sum(value), 0) FROM postern.counter WHERE name LIKE 'attempts%'"
        return self.wait_until(lambda: (numbers := self.stack.postgres.psql(f"SELECT ({told}), ({made})").split("|"))[0] == numbers[1]
                               and (int(numbers[0]),), what="the scheduler tells of the attempts")[0]

    def series(self, query):
        reply = self.api.get(f"/v1/stats/series?{query}")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    def total(self, query, kind):
        """What all series that are told add up to."""
        return sum(number or 0 for each in self.series(query)["series"] for number in each[kind])

    def test_series_count_what_really_happened(self):
        self.count_now()
        before, attempts = self.total("minutes=180", "created"), self.attempts_told()
        self.assertEqual(self.api.request("PUT", "/v1/endpoints/mail", {"url": self.receiver.url("/mail")}).status, 201)
        self.receiver.on("/gone", Answer(410))
        ended = [self.create(queue="letters", webhook_url=None, endpoint="mail") for _ in range(5)]
        ended += [self.create(queue="parcels", webhook_url=self.receiver.url("/gone")) for _ in range(3)]
        for task in ended:
            self.finished(task)
        self.assertEqual(self.attempts_told(), attempts + 8)
        # By two, because there may be rows of the minute before this one.
        self.stack.postgres.psql("UPDATE postern.endpoint_minute SET minute = minute - interval '2 minutes'")
        self.count_now()
        self.assertEqual(self.total("minutes=180", "created"), before + 8)
        for query, kind, number in (("queue=letters", "completed", 5), ("queue=letters", "attempts", 5), ("queue=letters", "failed", 0),
                                    ("queue=parcels", "failed", 3), ("queue=parcels", "attempts_failed", 3),
                                    ("endpoint=mail", "attempts", 5), ("endpoint=mail", "attempts_failed", 0)):
            self.assertEqual(self.total(query, kind), number, (query, kind))
        self.assertTrue(any(self.series("minutes=10")["series"][0]["p95_ms"]))
        self.assertTrue(any(self.series("endpoint=mail")["series"][0]["p95_ms"]))
        busiest = [each["queue"] for each in self.series("by=queue")["series"]]
        self.assertLess(busiest.index("letters"), busiest.index("parcels"))

        told = self.postern("stats", "--series", "--queue", "letters", schema="SeriesResponse")
        self.assertEqual(sum(number or 0 for number in told["series"][0]["created"]), 5)
        self.assertIn("letters", self.run_postern("stats", "--series", "--by", "queue").stdout)
        self.assertIn("completed", self.run_postern("stats", "--series").stdout)
        self.postern("stats", "--series", "--minutes", "0", code=2)
        self.postern("stats", "--queue", "letters", code=2)

    def test_failures_are_grouped_and_retried_by_reason(self):
        self.receiver.on("/never", *[Answer(410)] * 4, Answer(200))
        self.receiver.on("/refused", Answer(500))
        failed = [self.create(queue="failing", webhook_url=self.receiver.url("/never")) for _ in range(4)]
        failed.append(self.create(queue="failing", webhook_url=self.receiver.url("/refused"), max_retries=0))
        for task in failed:
            self.finished(task)
        told = self.postern("failures", "--queue", "failing", schema="FailuresResponse")
        self.assertEqual([(group["reason"], group["count"]) for group in told["groups"]], [("gone", 4), ("exhausted", 1)])
        self.assertEqual((told["looked"], told["complete"]), (5, True))
        self.assertIn(told["groups"][0]["last_task"], [task["id"] for task in failed])
        self.assertIn("gone", self.run_postern("failures").stdout)
        self.assertEqual(len(self.postern("task", "list", "--reason", "gone", "--queue", "failing", schema=["Task"])), 4)
        self.postern("failures", "--reason", "none", code=2)
        self.assertEqual(self.postern("task", "retry", "--reason", "gone", "--queue", "failing", "--dry-run")["count"], 4)
        self.assertEqual(self.postern("task", "retry", "--reason", "gone", "--queue", "failing", "--yes"), {"count": 4})
        for task in failed:
            self.assertEqual(self.finished(task)["status"], "failed" if task is failed[-1] else "completed")

    def test_a_schedule_is_tried_before_it_is_made(self):
        times = ("--cron", "30 2 31 3 *", "--timezone", "Europe/Berlin", "--starts-at", "2030-01-01T00:00:00Z")
        told = self.postern("schedule", "preview", *times, "--count", "2", schema="NextTimes")
        self.assertEqual(told, {"next": ["2030-03-31T01:00:00Z", "2031-03-31T00:30:00Z"]})
        self.postern("schedule", "preview", "--cron", "61 * * * *", code=2)
        self.postern("schedule", "preview", "--every", "90s", "--count", "101", code=2)

    def test_a_task_tells_its_schedule(self):
        made = self.api.post("/v1/schedules", {"name": "often", "interval_seconds": 1, "queue": "often",
                                               "webhook_url": self.receiver.url("/often")})
        self.assertEqual(made.status, 201, made.body)
        self.receiver.wait_for(lambda requests: requests)
        self.assertEqual(self.api.post("/v1/schedules/often/pause").status, 200)
        run = self.api.get("/v1/schedules/often/runs?limit=1").json["runs"][0]
        self.assertEqual(self.get({"id": run["task_id"]})["schedule"],
                         {"name": "often", "nominal_time": run["nominal_time"]})


if __name__ == "__main__":
    unittest.main()
