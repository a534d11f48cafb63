#!/usr/bin/python3
"""A tenant with as many tasks waiting as it may: the API refuses another one, and occurrences of schedules are skipped, until
some are gone."""

import unittest

from harness import StackTest


class QuotasTest(StackTest):
    settings = {"POSTERN_QUOTA_WAITING": "3"}

    def runs(self):
        """What became of each occurrence, oldest first."""
        runs = self.api.get("/v1/schedules/s/runs?limit=100").json["runs"]
        return [run.get("skipped", "fired") for run in reversed(runs)]

    def test_occurrences_over_the_quota_are_skipped_and_the_schedule_goes_on(self):
        held = {"queue": "held", "webhook_url": self.receiver.url("/held")}
        self.assertEqual(self.api.post("/v1/queues", {"name": "held"}).status, 201)
        self.assertEqual(self.api.post("/v1/queues/held/pause").status, 200)
        for _ in range(3):
            self.assertEqual(self.api.post("/v1/tasks", held).status, 201)
        reply = self.api.request("PUT", "/v1/schedules/s", {
            "interval_seconds": 1, "queue": "other", "webhook_url": self.receiver.url("/s")})
        self.assertEqual(reply.status, 201, reply.body)
        # Until the schedulers have measured that three wait.
        self.wait_until(lambda: "quota_exceeded" in self.runs(), 25, "an occurrence is skipped")
        reply = self.api.post("/v1/schedules/s/trigger")
        self.assertEqual((reply.status, reply.json["error"]["details"]["reason"]), (409, "quota_exceeded"))
        self.assertEqual(self.finished({"id": self.stack.postgres.psql(
            f"SELECT postern.enqueue('other', '{self.receiver.url('/sql')}')")})["reason"], "quota_exceeded")
        self.assertEqual(self.api.post("/v1/queues/held/purge").status, 202)
        self.wait_until(lambda: self.runs()[-1] == "fired", 25, "the schedule fires again")
        # Of two that a slow machine comes to at once the older one is missed.
        self.assertEqual(set(self.runs()) - {"missed"}, {"fired", "quota_exceeded"})


if __name__ == "__main__":
    unittest.main()
