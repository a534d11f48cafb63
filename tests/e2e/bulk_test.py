#!/usr/bin/python3
"""Bulk transitions of tasks, and changes of waiting tasks."""

import unittest

from harness import StackTest


class Bulk(StackTest):
    def many(self, queue, count, **fields):
        tasks = [{"queue": queue, "webhook_url": self.receiver.url("/hook"), **fields}] * (count // 2)
        replies = [self.api.post("/v1/tasks/batch", {"tasks": tasks}) for _ in range(2)]
        self.assertEqual([reply.status for reply in replies], [200, 200], replies[0].body[:300])
        return [result["task"]["id"] for reply in replies for result in reply.json["results"]]

    def total(self, queue, status):
        return self.api.get(f"/v1/tasks?queue={queue}&status={status}&limit=1").json["pagination"]["total"]

    def test_all_that_failed_are_retried_by_a_worker(self):
        self.receiver.on("/hook", 500)
        self.many("dead", 1200, max_retries=0)
        self.wait_until(lambda: self.total("dead", "failed") == 1200, 120, "all failed")
        self.receiver.on("/hook", 200)
        reply = self.client("worker").post("/v1/tasks/retry", {"filter": {"queue": "dead", "status": "failed"}})
        self.assertEqual((reply.status, reply.json), (200, {"count": 1200}))
        self.wait_until(lambda: self.total("dead", "completed") == 1200, 120, "all completed")
        self.assertEqual(self.total("dead", "failed"), 0)

    def test_cancelled_tasks_are_never_delivered(self):
        ids = self.many("unwanted", 1500, delay=600)
        by_id = self.api.post("/v1/tasks/cancel", {"ids": ids[:3] + ["missing-id"]})
        self.assertEqual([result["status"] for result in by_id.json["results"]], ["ok", "ok", "ok", "not_found"])
        rest = self.api.post("/v1/tasks/cancel", {"filter": {"queue": "unwanted"}})
        self.assertEqual(rest.json, {"count": 1497})
        probe = self.create(queue="unwanted", webhook_url=self.receiver.url("/probe"), delay=3)
        self.assertEqual(self.finished(probe)["status"], "completed")
        self.assertEqual(self.receiver.at("/hook"), [])

    def test_a_dry_run_counts_and_changes_nothing(self):
        self.many("tried", 4, delay=600)
        self.api.post("/v1/endpoints", {"name": "tried", "url": self.receiver.url("/tried")})
        self.create(queue="tried", endpoint="tried", webhook_url=None, delay=600)
        for chosen, count in (({"queue": "tried"}, 5), ({"endpoint": "tried"}, 1),
                              ({"queue": "tried", "status": "blocked"}, 0)):
            reply = self.api.post("/v1/tasks/cancel", {"filter": chosen, "dry_run": True})
            self.assertEqual((reply.status, reply.json), (200, {"count": count, "dry_run": True}), chosen)
        self.assertEqual(self.api.post("/v1/tasks/cancel", {"filter": {"endpoint": "tried"}}).json, {"count": 1})
        self.assertEqual(self.total("tried", "pending"), 4)
        retry = {"filter": {"endpoint": "tried", "status": "cancelled"}}
        self.assertEqual(self.api.post("/v1/tasks/retry", {**retry, "dry_run": True}).json["count"], 1)
        self.assertEqual(self.api.post("/v1/tasks/retry", retry).json, {"count": 1})
        for body, reason, field in (({"ids": ["x"], "dry_run": True}, "dry_run_invalid", "dry_run"),
                                    ({"dry_run": True}, "dry_run_invalid", "dry_run"),
                                    ({"filter": {"all": True}, "dry_run": 1}, "invalid_type", "dry_run"),
                                    ({"filter": {"endpoint": "a b"}}, "endpoint_invalid", "filter.endpoint")):
            details = self.api.post("/v1/tasks/cancel", body).json["error"]["details"]
            self.assertEqual(details, {"reason": reason, "field": field}, body)

    def test_an_empty_filter_is_refused(self):
        for body in ({"filter": {}}, {"filter": {"all": False}}):
            reply = self.api.post("/v1/tasks/cancel", body)
            self.assertEqual(reply.json["error"]["details"], {"reason": "filter_required", "field": "filter"})


class Changes(StackTest):
    def test_a_task_runs_with_its_changes(self):
        task = self.create(delay=3600, payload={"old": 1})
        path = f"/v1/tasks/{task['id']}"
        reply = self.api.request("PATCH", path, {"payload": {"new": 2}, "priority": 9})
        self.assertEqual((reply.status, reply.json["priority"]), (200, 9), reply.body)
        self.assertEqual(self.api.post(f"{path}/run").status, 200)
        self.assertEqual(self.finished(task)["status"], "completed")
        self.assertEqual(self.receiver.at("/hook")[0].json["payload"], {"new": 2})
        self.assertEqual(self.api.request("PATCH", path, {"priority": 1}).status, 409)

    def test_a_start_can_be_moved_forward_and_back(self):
        self.api.request("PUT", "/v1/queues/held", {})
        self.assertEqual(self.api.post("/v1/queues/held/pause").status, 200)  # else it may be due before it is moved
        sooner, later = self.create(delay=3600), self.create(queue="held", delay=1, webhook_url=self.receiver.url("/later"))
        self.assertEqual(self.api.request("PATCH", f"/v1/tasks/{later['id']}", {"delay": 3600}).status, 200)
        self.assertEqual(self.api.post("/v1/queues/held/resume").status, 200)
        self.assertEqual(self.api.request("PATCH", f"/v1/tasks/{sooner['id']}", {"delay": 2}).status, 200)
        self.assertEqual(self.finished(sooner)["status"], "completed")
        self.assertEqual(self.receiver.at("/later"), [])


if __name__ == "__main__":
    unittest.main()
