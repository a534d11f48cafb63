#!/usr/bin/python3
"""asyncjobs's handlers over HTTP: their requests, the meaning of their answers, and dependent tasks."""

import base64
import datetime
import json
import threading
import unittest

from harness import Answer, StackTest


class AsyncJobs(StackTest):
    def setUp(self):
        super().setUp()
        for name in ("rows", "email", "email:new"):
            self.api.request("PUT", f"/v1/endpoints/{name}", {"url": self.receiver.url(f"/{name}")})

    def make(self, **fields):
        reply = self.api.post("/asyncjobs/v1/tasks", {"type": "rows", **fields})
        self.assertEqual(reply.status, 201, reply.body)
        return reply.json["id"]

    def now(self, task):
        return self.api.get(f"/asyncjobs/v1/tasks/{task}").json

    def wait_for(self, task, state, timeout=30):
        return self.wait_until(lambda: (now := self.now(task))["state"] == state and now, timeout,
                               f"{task} is {state}")

    def test_a_handler_gets_the_task_and_its_answer_is_the_result(self):
        self.receiver.on("/rows", Answer(body=b'{"rows": 7}'))
        task = self.make(payload={"to": "x@y"})
        done = self.wait_for(task, "complete")
        self.assertEqual(done["result"]["payload"], {"rows": 7})
        self.assertEqual(done["tries"], 1)
        self.assertIn("tried", done)
        (request,) = self.receiver.at("/rows")
        self.assertEqual(json.loads(base64.b64decode(request.json["payload"])), {"to": "x@y"})
        self.assertEqual((request.json["id"], request.json["state"], request.json["queue"],
                          request.json["max_tries"], request.json["tries"]), (task, "active", "asyncjobs", 10, 1))
        deadline = datetime.datetime.fromisoformat(request.headers["AJ-Handler-Deadline"].replace("Z", "+00:00"))
        left = (deadline - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
        self.assertTrue(3500 < left < 3600, left)  # an hour, less two seconds
        self.receiver.on("/rows", Answer(body=b"plain"))
        self.assertEqual(self.wait_for(self.make(), "complete")["result"]["payload"], "plain")

    def test_results_of_dependencies_are_shown_once_the_task_was_handed_out(self):
        self.receiver.on("/rows", Answer(body=b'{"rows": 7}'))
        first = self.make()
        self.wait_for(first, "complete")
        gone = "3MmRhht8nMtBIWVVrDXu2qq2RXR"  # nobody made it
        for also, shown in (({"load_dependencies": True}, True), ({}, False)):
            task = self.make(dependencies=[first], **also)
            done = self.wait_for(task, "complete")
            results = done.get("dependency_results")
            self.assertEqual(results and results[first]["payload"], {"rows": 7} if shown else None)
        waits = self.now(self.make(dependencies=[first, gone], load_dependencies=True))
        self.assertNotIn("dependency_results", waits)

    def test_a_type_is_routed_to_the_longest_name_that_begins_it(self):
        for kind, path in (("email", "/email"), ("email:new", "/email:new"), ("email:news", "/email:new"),
                           ("emails", "/email")):
            self.wait_for(self.make(type=kind), "complete")
            self.assertEqual(self.receiver.requests[-1].path, path)

    def test_an_error_header_is_retried_and_a_terminate_header_is_the_end(self):
        self.receiver.on("/rows", Answer(headers={"AJ-Error": "no luck"}))
        task = self.make()
        waiting = self.wait_for(task, "retry")
        self.assertEqual(waiting["last_err"], "no luck")
        due = self.api.get(f"/v1/tasks/{task}")  # in the task's own dialect, which does not show the time
        self.assertEqual(due.json["state"], "retry")
        seconds = float(self.stack.postgres.psql(
            "SELECT extract(epoch FROM run_at - updated_at) FROM postern.task ORDER BY id DESC LIMIT 1"))
        self.assertTrue(63.7 <= seconds <= 134.5, seconds)  # the second interval of `default`, with its jitter
        self.receiver.on("/rows", Answer(headers={"AJ-Terminate": "hopeless"}))
        ended = self.wait_for(self.make(), "terminated")
        self.assertEqual(ended["last_err"], "hopeless")

    def test_a_task_without_a_handler_is_retried(self):
        task = self.make(type="nobody", max_tries=1)
        self.assertEqual(self.wait_for(task, "expired")["last_err"], "no handler for task type nobody")

    def test_a_deadline_that_has_passed_expires_the_task(self):
        task = self.make(deadline="2020-01-01T00:00:00Z")
        self.wait_for(task, "expired")
        self.assertEqual(self.receiver.at("/rows"), [])

    def test_a_queue_caps_the_tries_of_its_tasks(self):
        self.api.post("/asyncjobs/v1/queues", {"name": "CAPPED", "max_tries": 1})
        self.receiver.on("/rows", 500)
        task = self.make(queue="CAPPED", max_tries=9)
        self.assertEqual(self.wait_for(task, "expired")["max_tries"], 1)

    def test_the_mount_where_a_queue_is_made_says_what_its_limits_are(self):
        usual, none = (100, 3_600_000_000_000), (-1, 0)
        for mount, name, limits in (("/asyncjobs", "THEIRS", usual), ("", "OURS", none)):
            self.assertEqual(self.api.post(f"{mount}/v1/queues", {"name": name}).status, 201)
            for reader in ("/asyncjobs", ""):
                queue = self.api.get(f"{reader}/v1/queues/{name}").json
                self.assertEqual((queue["max_concurrent"], queue["max_runtime"]), limits, (name, reader))

    def test_a_dependent_runs_when_all_are_complete_and_gets_their_results(self):
        made = threading.Event()
        self.addCleanup(made.set)
        self.receiver.on("/rows", Answer(body=b'{"n": 1}', until=made))
        first, second = self.make(), self.make()
        task = self.make(type="email", dependencies=[first, second], load_dependencies=True)
        self.assertEqual(self.now(task)["state"], "blocked")
        made.set()
        self.wait_for(task, "complete")
        (request,) = self.receiver.at("/email")
        results = request.json["dependency_results"]
        self.assertEqual({key: value["payload"] for key, value in results.items()},
                         {first: {"n": 1}, second: {"n": 1}})

    def test_all_dependents_of_a_failed_task_are_unreachable(self):
        self.receiver.on("/rows", Answer(headers={"AJ-Terminate": "no"}))
        self.api.post("/asyncjobs/v1/queues", {"name": "HELD"})
        self.api.post("/v1/queues/HELD/pause")
        first = self.make(queue="HELD")
        second = self.make(type="email", dependencies=[first])
        third = self.make(type="email", dependencies=[second])
        self.assertEqual(self.now(second)["state"], "blocked")
        self.api.post("/v1/queues/HELD/resume")
        self.wait_for(third, "unreachable")
        self.assertEqual(self.now(second)["state"], "unreachable")
        self.assertEqual(self.receiver.at("/email"), [])

    def test_a_retry_of_a_completed_task_runs_it_again_without_its_result(self):
        task = self.make()
        self.wait_for(task, "complete")
        self.assertEqual(self.api.post("/v1/endpoints/rows/pause").status, 200)  # else it may be over when it is read
        again = self.api.post(f"/asyncjobs/v1/tasks/{task}/retry").json
        self.assertEqual(again["state"], "retry")
        self.assertNotIn("result", again)
        self.assertEqual(self.api.post("/v1/endpoints/rows/resume").status, 200)
        self.wait_for(task, "complete")
        self.assertEqual(len(self.receiver.at("/rows")), 2)


if __name__ == "__main__":
    unittest.main()
