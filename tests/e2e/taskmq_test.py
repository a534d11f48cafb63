#!/usr/bin/python3
"""Delivery of TaskMQ's jobs: periodic jobs, and handlers that are registered late."""

import datetime
import unittest
import urllib.parse

from harness import Answer, StackTest


class TaskMq(StackTest):
    def setUp(self):
        super().setUp()
        self.register("hook", "/hook")

    def register(self, name, path):
        reply = self.api.request("PUT", f"/v1/endpoints/{name}", {"url": self.receiver.url(path)})
        self.assertIn(reply.status, (200, 201), reply.body)

    def add(self, handler="hook", **fields):
        reply = self.api.post("/add-job", {"payload": {"n": 1}, "handler": handler, **fields})
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json["job_id"]

    def job(self, job_id):
        return self.api.get(f"/job/{job_id}").json

    def wait_for(self, job_id, status, timeout=30):
        return self.wait_until(lambda: (now := self.job(job_id))["status"] == status and now, timeout,
                               f"job {job_id} is {status}")

    def wait_for_turns(self, count, path="/hook"):
        self.receiver.wait_for(lambda _: len(self.receiver.at(path)) >= count, 60)
        return self.receiver.at(path)[:count]

    def cancel(self, job_id):
        """Cancels a periodic job between two turns, because an active job cannot be cancelled."""
        self.wait_until(lambda: self.api.post("/cancel", {"job_id": job_id}).status == 200, 30,
                        f"job {job_id} is cancelled")

    def pass_a_turn(self):
        """Waits for a new job that is due after the next turn of every other job."""
        due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        self.register("probe", "/probe")
        self.wait_for(self.add("probe", scheduled_for=due.isoformat()), "SUCCESS")

    def test_a_periodic_job_comes_again_until_it_is_cancelled(self):
        job_id = self.add(interval_seconds=1)
        turns = self.wait_for_turns(3)
        self.assertEqual([turn.json for turn in turns],
                         [{"job_id": job_id, "handler": "hook", "payload": {"n": 1}, "attempt": number}
                          for number in (1, 2, 3)])
        for earlier, later in zip(turns, turns[1:]):
            self.assertGreaterEqual(later.time - earlier.time, 0.9)
        self.cancel(job_id)
        job = self.job(job_id)
        self.assertEqual((job["status"], job["error_log"], job["interval_seconds"]),
                         ("FAILED", "Cancelled by admin", 1))
        made = len(self.receiver.at("/hook"))
        self.pass_a_turn()
        self.assertEqual(len(self.receiver.at("/hook")), made)

    def test_a_final_failure_ends_the_turns_and_a_retry_resumes_them(self):
        self.receiver.on("/hook", 200, 500, 200)
        job_id = self.add(interval_seconds=1, retry_policy="none")
        self.assertEqual(self.wait_for(job_id, "FAILED")["error_log"], "HTTP 500")
        self.pass_a_turn()
        self.assertEqual(len(self.receiver.at("/hook")), 2)
        self.assertEqual(self.api.post("/retry", {"job_id": job_id}).json,
                         {"status": "retrying", "job_id": job_id})
        self.wait_for_turns(4)
        self.cancel(job_id)

    def test_each_turn_has_a_full_budget(self):
        self.receiver.on("/hook", 500, 500, 200, 500, 500, 200)
        job_id = self.add(interval_seconds=1)
        self.wait_for_turns(6)
        self.wait_until(lambda: (now := self.job(job_id))["status"] == "PENDING" and not now["error_log"])
        self.assertEqual(self.job(job_id)["retries"], 0)
        self.cancel(job_id)

    def test_a_deferred_turn_is_followed_by_the_next(self):
        self.receiver.on("/hook", Answer(202, headers={"Postern-Defer": "60"}), 200)
        job_id = self.add(interval_seconds=1)
        (first,) = self.wait_for_turns(1)
        self.assertEqual(self.wait_for(job_id, "RUNNING")["id"], job_id)
        url = urllib.parse.urlsplit(first.headers["Postern-Complete-Url"])
        nobody = self.client()
        self.wait_until(lambda: nobody.post(f"{url.path}?{url.query}").status == 200, 30, "the end is told")
        self.wait_for_turns(2)
        self.cancel(job_id)

    def test_a_handler_may_be_registered_after_its_job(self):
        job_id = self.add("late: by name", retry_policy="none")
        self.assertEqual(self.wait_for(job_id, "FAILED")["error_log"], "Unknown handler: late: by name")
        self.register("late", "/late")
        self.register("late:", "/longer")  # the longest matching prefix
        self.assertEqual(self.api.post("/retry", {"job_id": job_id}).status, 200)
        self.wait_for(job_id, "SUCCESS")
        self.assertEqual(self.receiver.at("/late"), [])
        self.assertEqual(self.receiver.at("/longer")[0].json["handler"], "late: by name")

    def test_the_answer_of_the_handler_is_the_result(self):
        self.receiver.on("/hook", Answer(200, b'{"sent": 3}'))
        self.assertEqual(self.wait_for(self.add(), "SUCCESS")["result"], {"sent": 3})
        self.receiver.on("/hook", Answer(200, b"done"))
        self.assertEqual(self.wait_for(self.add(), "SUCCESS")["result"], "done")

    def test_both_mounts_lead_to_the_same_jobs(self):
        job_id = self.add(scheduled_for="2030-01-01T00:00:00Z")
        self.assertEqual(self.api.get(f"/taskmq/job/{job_id}").json, self.job(job_id))
        reply = self.api.post("/taskmq/add-job", {"payload": {}, "handler": "hook"})
        self.assertEqual(reply.status, 200, reply.body)
        path = urllib.parse.urlsplit(reply.headers["Location"]).path
        self.assertEqual(path, f"/taskmq/job/{reply.json['job_id']}")
        self.assertEqual(self.api.post("/taskmq/cancel", {"job_id": job_id}).status, 200)

    def test_a_slash_behind_a_path_leads_to_the_path_without(self):
        for mount in ("", "/taskmq"):
            for path in ("/add-job", "/cancel", "/retry", "/health", "/openapi.json", "/job/1"):
                for api in (self.api, self.client()):
                    reply = api.request("POST", f"{mount}{path}/?a=1&b=%20", {})
                    self.assertEqual((reply.status, reply.body), (307, b""), path)
                    self.assertEqual(urllib.parse.urljoin(f"{mount}{path}/", reply.headers["Location"]), f"{mount}{path}?a=1&b=%20")
            self.assertEqual(self.api.get(f"{mount}/monitor/metrics/").status, 200)
            self.assertEqual(self.api.get(f"{mount}/job/").status, 404)

    def test_a_body_may_begin_with_a_byte_order_mark(self):
        body = b'\xef\xbb\xbf{"payload": {}, "handler": "hook", "scheduled_for": "2030-01-01T00:00:00Z"}'
        self.assertEqual(self.api.post("/taskmq/add-job", body).status, 200)
        self.assertEqual(self.api.post("/v1/tasks", body).json["error"]["details"]["reason"], "invalid_json")


if __name__ == "__main__":
    unittest.main()
