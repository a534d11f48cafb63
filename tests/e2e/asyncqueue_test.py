#!/usr/bin/python3
"""AsyncQueue's dialect: signatures, completion webhooks, back-off, and tasks that wait for a signal."""

import hashlib
import hmac
import time
import unittest

from harness import Answer, StackTest


class AsyncQueue(StackTest):
    settings = {"POSTERN_RESCUE_AFTER": "2s"}

    def make(self, **fields):
        reply = self.api.post("/asyncqueue/v1/tasks", {"targetUrl": self.receiver.url("/hook"), **fields})
        self.assertEqual(reply.status, 201, reply.body)
        return reply.json

    def now(self, task):
        return self.api.get(f"/asyncqueue/v1/tasks/{task['id']}").json["task"]

    def wait_for(self, task, status, timeout=30):
        return self.wait_until(lambda: (now := self.now(task))["status"] == status and now, timeout,
                               f"{task['id']} is {status}")

    def assert_signed(self, request):
        parts = dict(part.split("=", 1) for part in request.headers["X-AsyncQueue-Signature"].split(","))
        text = parts["t"].encode() + b"." + request.body
        expected = hmac.new(self.stack.state["webhook_secret"].encode(), text, hashlib.sha256).hexdigest()
        self.assertEqual(parts["v1"], expected)

    def test_a_webhook_is_the_body_signed(self):
        task = self.make(body='{"a": 1}', headers={"X-Mine": "yes"}, method="PUT")["task"]
        self.wait_for(task, "completed")
        (request,) = self.receiver.at("/hook")
        self.assertEqual((request.method, request.body, request.headers["X-Mine"]), ("PUT", b'{"a": 1}', "yes"))
        self.assertEqual(request.headers["Content-Type"], "application/json")
        self.assertEqual(request.headers["X-AsyncQueue-Task-Id"], task["id"])
        self.assert_signed(request)

    def test_everything_under_500_completes(self):
        for status in (204, 302, 404, 410, 429):
            self.receiver.on("/hook", status)
            done = self.wait_for(self.make()["task"], "completed")
            self.assertEqual((done["result"]["statusCode"], done["error"]), (status, None))

    def test_a_500_is_tried_again_after_one_and_two_seconds(self):
        self.receiver.on("/hook", 500, 503, 200)
        task = self.make()["task"]
        done = self.wait_for(task, "completed", 20)
        self.assertEqual(done["retryCount"], 2)
        first, second, third = (request.time for request in self.receiver.at("/hook"))
        self.assertGreaterEqual(second - first, 0.9)
        self.assertGreaterEqual(third - second, 1.9)

    def test_each_end_calls_back_once(self):
        done = self.receiver.url("/done")
        completed = self.make(onCompleteUrl=done)["task"]
        self.receiver.wait_for(lambda _: self.receiver.at("/done"))
        (told,) = self.receiver.at("/done")
        self.assert_signed(told)
        self.assertEqual(told.json["event"], "task.completed")
        self.assertEqual(set(told.json["task"]), {"id", "status", "result", "error", "retryCount", "createdAt",
                                                  "completedAt"})
        self.assertEqual((told.json["task"]["id"], told.json["task"]["result"]["statusCode"]), (completed["id"], 200))
        self.receiver.on("/hook", 500)
        self.receiver.on("/done", 500)  # the completion webhook is not repeated after a 500
        failed = self.make(onCompleteUrl=done, maxRetries=0)["task"]
        self.receiver.wait_for(lambda _: len(self.receiver.at("/done")) == 2)
        told = self.receiver.at("/done")[1].json
        self.assertEqual((told["event"], told["task"]["id"]), ("task.failed", failed["id"]))
        self.assertEqual(told["task"]["error"], "Server error: HTTP 500 - Internal Server Error")
        self.wait_until(lambda: self.stack.postgres.psql(
            f"SELECT count(*) FROM postern.task WHERE url = '{done}'") == "0")
        self.assertEqual(len(self.receiver.at("/done")), 2)

    def test_a_cancelled_task_makes_no_callback(self):
        task = self.make(onCompleteUrl=self.receiver.url("/done"), delayUntil="2030-01-01T00:00:00Z")["task"]
        self.api.post(f"/asyncqueue/v1/tasks/{task['id']}/cancel")
        self.make(onCompleteUrl=self.receiver.url("/done/later"))
        self.receiver.wait_for(lambda _: self.receiver.at("/done/later"))  # the completion of a later task
        self.assertEqual(self.receiver.at("/done"), [])

    def test_a_sandbox_key_makes_tasks_that_are_not_delivered(self):
        key = self.stack.postern("key", "create", "--name", f"box-{time.time()}", "--role", "admin", "--sandbox")["key"]
        self.assertTrue(key.startswith("aq_test_"))
        sandboxed = self.client().post("/v1/tasks", {"targetUrl": self.receiver.url("/sandbox")},
                                       headers={"Authorization": f"Bearer {key}"})
        self.assertEqual(sandboxed.status, 201, sandboxed.body)
        self.wait_for(self.make()["task"], "completed")  # a task that was made later
        self.assertEqual(self.receiver.at("/sandbox"), [])
        self.assertEqual(self.now(sandboxed.json["task"])["status"], "pending")

    def test_a_long_poll_ends_with_the_status(self):
        self.receiver.on("/hook", Answer(delay=1))
        task = self.make()["task"]
        self.receiver.wait_for(lambda _: self.receiver.at("/hook"))
        reply = self.api.get(f"/asyncqueue/v1/tasks/{task['id']}?wait=20")
        self.assertEqual(reply.json["task"]["status"], "completed")
        self.assertEqual(self.api.get(f"/asyncqueue/v1/tasks/{task['id']}?wait=x").status, 400)

    def test_a_signal_completes_what_waits_for_it(self):
        made = self.make(waitForSignal=True, maxWaitTime=3600, onCompleteUrl=self.receiver.url("/done"))
        task, token = made["task"], made["signalToken"]
        self.wait_for(task, "waiting")
        nobody = self.client()
        for mount in ("/asyncqueue", ""):
            self.assertEqual(nobody.post(f"{mount}/v1/signals/{token[:-1]}x", {"status": "completed"}).status, 404)
        reply = nobody.post(f"/v1/signals/{token}", {"status": "completed", "by": "ann"})
        self.assertEqual((reply.status, reply.json["task"]["status"]), (200, "completed"))
        self.receiver.wait_for(lambda _: self.receiver.at("/done"))
        again = nobody.post(f"/asyncqueue/v1/signals/{token}", {"status": "failed"})
        self.assertEqual(again.status, 409)
        self.assertEqual(len(self.receiver.at("/hook")), 1)

    def test_without_a_signal_it_times_out_and_calls_back(self):
        made = self.make(waitForSignal=True, maxWaitTime=1, onCompleteUrl=self.receiver.url("/done"))
        done = self.wait_for(made["task"], "timeout", 60)
        self.receiver.wait_for(lambda _: self.receiver.at("/done"))
        self.assertEqual(self.receiver.at("/done")[0].json["event"], "task.timeout")
        self.assertEqual((len(self.receiver.at("/hook")), done["retryCount"]), (1, 0))
        self.assertEqual(self.client().post(f"/v1/signals/{made['signalToken']}", {"status": "completed"}).status, 409)


if __name__ == "__main__":
    unittest.main()
