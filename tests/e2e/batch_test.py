#!/usr/bin/python3
"""Batches through nginx: sizes, order, all or nothing; and lists as one task per line."""

import http.client
import json
import unittest
import urllib.parse

from harness import StackTest


class Batches(StackTest):
    def tasks(self, count, **fields):
        return [{"queue": "default", "webhook_url": self.receiver.url("/hook"), "payload": {"n": n}, **fields}
                for n in range(count)]

    def test_a_thousand_are_created_and_delivered(self):
        for path in ("/v1/tasks/batch", "/v1/tasks/batch?atomic=true"):
            before = len(self.receiver.requests)
            reply = self.api.post(path, {"tasks": self.tasks(1000)})
            self.assertEqual(reply.status, 200, reply.body[:300])
            self.assertEqual((reply.json["created"], reply.json["failed"]), (1000, 0))
            numbers = [result["task"]["payload"]["n"] for result in reply.json["results"]]
            self.assertEqual(numbers, list(range(1000)))
            came = self.receiver.wait_for(lambda requests: len(requests) >= before + 1000, 120)[before:]
            self.assertEqual({request.json["task_id"] for request in came},
                             {result["task"]["id"] for result in reply.json["results"]})

    def test_a_bad_item_fails_the_batch_or_only_itself(self):
        tasks = self.tasks(5, delay=3600)
        tasks[3]["priority"] = 11
        refused = self.api.post("/v1/tasks/batch?atomic=true", {"tasks": tasks})
        self.assertEqual(refused.status, 400)
        self.assertEqual(refused.json["error"]["details"],
                         {"reason": "priority_out_of_range", "field": "tasks[3].priority"})
        partly = self.api.post("/v1/tasks/batch", {"tasks": tasks})
        self.assertEqual((partly.status, partly.json["created"], partly.json["failed"]), (200, 4, 1))

    def test_only_a_batch_may_have_a_body_of_16_mb(self):
        tasks = self.tasks(300, delay=3600)
        for task in tasks:
            task["payload"] = {"x": "x" * 50_000}
        reply = self.api.post("/v1/tasks/batch", {"tasks": tasks})
        self.assertEqual((reply.status, reply.json["created"]), (200, 300))
        tasks *= 2
        self.assertEqual(self.api.post("/v1/tasks/batch", {"tasks": tasks}).status, 413)
        self.assertEqual(self.api.post("/v1/tasks", tasks[0] | {"payload": {"x": "x" * 600_000}}).status, 413)

    def test_needs_an_admin(self):
        self.assertEqual(self.client("worker").post("/v1/tasks/batch", {"tasks": self.tasks(1)}).status, 403)
        self.assertEqual(self.client().post("/v1/tasks/batch", {"tasks": self.tasks(1)}).status, 401)
        keyed = self.api.post("/v1/tasks/batch", {"tasks": self.tasks(1)}, headers={"Idempotency-Key": "k"})
        self.assertEqual((keyed.status, keyed.json["error"]["details"]["field"]), (400, "Idempotency-Key"))


class Streams(StackTest):
    def make(self, queue, count):
        for _ in range(count // 1000):
            reply = self.api.post("/v1/tasks/batch", {"tasks": [
                {"queue": queue, "webhook_url": "http://127.0.0.1:9/", "delay": 3600,
                 "payload": {"x": "x" * 500}}] * 1000})
            self.assertEqual(reply.json["created"], 1000)

    def test_a_long_list_comes_line_by_line(self):
        self.make("lines", 3000)
        reply = self.api.get("/v1/tasks?queue=lines&stream=ndjson&limit=100000")
        self.assertEqual(reply.headers["Content-Type"], "application/x-ndjson")
        tasks = [json.loads(line) for line in reply.body.splitlines()]
        self.assertEqual(len({task["id"] for task in tasks}), 3000)
        self.assertEqual([task["id"] for task in tasks], sorted((task["id"] for task in tasks), reverse=True))
        self.assertEqual(self.api.get("/v1/tasks?queue=nothing&stream=ndjson").body, b"")

    def test_a_client_that_goes_away_ends_it(self):
        self.make("long", 20_000)
        address = urllib.parse.urlsplit(self.stack.url)
        # More than a quarter of the handler's threads, the limit of streams, so that later ones are admitted
        # only when earlier ones have ended.
        for _ in range(40):
            client = http.client.HTTPConnection(address.netloc, timeout=30)
            client.request("GET", "/v1/tasks?queue=long&stream=ndjson&limit=100000",
                           headers={"Authorization": f"Bearer {self.api.key}"})
            answer = client.getresponse()
            self.assertIn(answer.status, (200, 429))
            answer.read(1000)
            client.sock.close()
            client.close()
        self.wait_until(lambda: self.api.get("/v1/tasks?queue=long&stream=ndjson&limit=1").status == 200, 20,
                        "a place among the streams")


if __name__ == "__main__":
    unittest.main()
