#!/usr/bin/python3
"""Tasks over HTTP: the documented examples verbatim, and the operations of a client on its tasks."""

import base64
import concurrent.futures
import threading
import time
import unittest

from harness import Answer, Api, StackTest

CREATE = b"""{
"queue": "emails",
"webhook_url": "https://your-app.com/webhooks/send-email",
"payload": {"to": "user@example.com", "template": "welcome"},
"delay": 300,
"priority": 8
}"""
PAYLOAD = {"to": "user@example.com", "template": "welcome"}
ID = r"^task_[0-7][0-9a-hjkmnp-tv-z]{25}$"
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"


class TasksTest(StackTest):
    def setUp(self):
        super().setUp()
        self.queue = self.id().rpartition(".")[2][:64]  # each test has a queue of its own

    def create(self, **fields):
        return super().create(**{"queue": self.queue, **fields})

    def hold(self, path="/hook"):
        """Makes the receiver answer at `path` only once the returned event is set."""
        event = threading.Event()
        self.addCleanup(event.set)
        self.receiver.on(path, Answer(until=event))
        return event

    def active(self, **fields):
        """A task whose webhook is under way, and the event that makes the receiver answer."""
        event = self.hold()
        task = self.create(**fields)
        self.receiver.wait_for(lambda requests: len(requests) == 1)
        return task, event

    def completed(self, **fields):
        return self.finished(self.create(**fields))

    def assert_refused(self, reply, status, reason):
        self.assertEqual((reply.status, reply.json["error"]["details"]["reason"]), (status, reason))
        self.assertTrue(reply.json["error"]["message"])


class DocumentedExamples(TasksTest):
    def test_create(self):
        for url in (self.stack.url, self.stack.tls_url):
            with self.subTest(url):
                reply = self.client("admin", url).post("/v1/tasks", CREATE)
                self.assertEqual(reply.status, 201)
                task = reply.json
                self.assertRegex(task["id"], ID)
                self.assertRegex(task["created_at"], TIME)
                self.assertEqual({key: task[key] for key in ("queue", "status", "priority", "delay")},
                                 {"queue": "emails", "status": "pending", "priority": 8, "delay": 300})
                self.assertEqual(reply.headers["Location"], f"/v1/tasks/{task['id']}")

    def test_get_with_its_execution_history(self):
        for url in (self.stack.url, self.stack.tls_url):
            with self.subTest(url):
                task = self.completed(queue="emails", payload=PAYLOAD, priority=8)
                got = self.client("admin", url).get(f"/v1/tasks/{task['id']}").json
                self.assertEqual(
                    {key: got[key] for key in ("id", "queue", "status", "priority", "payload")},
                    {"id": task["id"], "queue": "emails", "status": "completed", "priority": 8,
                     "payload": PAYLOAD})
                [attempt] = got["attempts"]
                self.assertEqual((attempt["number"], attempt["status"], attempt["response_code"]),
                                 (1, "success", 200))
                for moment in (attempt["executed_at"], got["created_at"], got["completed_at"]):
                    self.assertRegex(moment, TIME)
                webhook = self.receiver.at("/hook")[-1]
                self.assertEqual(webhook.json, {"task_id": task["id"], "queue": "emails",
                                                "payload": PAYLOAD, "attempt": 1})
                self.assertEqual(webhook.headers["Content-Type"], "application/json")

    def test_before_the_first_attempt(self):
        task = self.get(self.create(delay=300))
        self.assertEqual((task["status"], task["attempts"], task["attempt_count"]), ("pending", [], 0))
        self.assertEqual((task["priority"], task["max_retries"]), (5, 3))  # the documented defaults
        self.assertNotIn("completed_at", task)

    def test_list_by_queue_and_status(self):
        pending = [self.create(delay=300)["id"] for _ in range(5)]
        completed = self.completed()["id"]
        self.create(delay=300, queue="another")

        def listed(query):
            page = self.api.get(f"/v1/tasks?queue={self.queue}{query}").json
            self.assertEqual(page["count"], len(page["tasks"]))
            return page, [task["id"] for task in page["tasks"]]

        newest_first = sorted(pending, reverse=True)  # ids begin with the time of creation in milliseconds
        page, ids = listed("&status=pending")
        self.assertEqual(ids, newest_first)
        self.assertEqual(page["pagination"], {"total": 5, "limit": 20, "offset": 0, "hasMore": False})
        page, ids = listed("&status=pending&limit=2&offset=1")
        self.assertEqual(ids, newest_first[1:3])
        self.assertEqual((page["pagination"]["total"], page["pagination"]["hasMore"]), (5, True))
        _, ids = listed(f"&status=pending&cursor={page['pagination']['next_cursor']}")
        self.assertEqual(ids, newest_first[3:])
        self.assertEqual(listed("&status=completed")[1], [completed])
        self.assertEqual(listed("&status=failed")[1], [])
        self.assertEqual(listed("")[1], sorted([completed, *pending], reverse=True))

    def test_delete_a_pending_task(self):
        self.receiver.on("/hook", 500)
        waits_for_retry = self.create(retry_policy={"intervals": [300]})
        self.wait_until(lambda: self.get(waits_for_retry)["attempt_count"] == 1
                        and self.get(waits_for_retry)["status"] == "pending")
        for task in (self.create(delay=300), waits_for_retry):
            reply = self.api.delete(f"/v1/tasks/{task['id']}")
            self.assertEqual((reply.status, reply.body), (204, b""))
            self.assert_refused(self.api.get(f"/v1/tasks/{task['id']}"), 404, "task_not_found")
            self.assert_refused(self.api.delete(f"/v1/tasks/{task['id']}"), 404, "task_not_found")
        self.assertEqual(self.api.get(f"/v1/tasks?queue={self.queue}").json["tasks"], [])

    def test_active_and_completed_tasks_cannot_be_deleted(self):
        task, release = self.active()
        self.assertEqual(self.get(task)["status"], "active")
        self.assert_refused(self.api.delete(f"/v1/tasks/{task['id']}"), 409, "task_already_active")
        release.set()
        self.assertEqual(self.finished(task)["status"], "completed")
        self.assert_refused(self.api.delete(f"/v1/tasks/{task['id']}"), 409, "task_already_finished")
        self.assertEqual(self.get(task)["status"], "completed")

    def test_500_500_200_makes_three_attempts(self):
        self.receiver.on("/hook", 500, 500, 200)
        task = self.finished(self.create())
        self.assertEqual(task["status"], "completed")
        self.assertEqual([(each["number"], each["status"], each["response_code"])
                          for each in task["attempts"]],
                         [(1, "failed", 500), (2, "failed", 500), (3, "success", 200)])
        times = [request.time for request in self.receiver.at("/hook")]
        for before, after, delay in zip(times[:-1], times[1:], (1, 2), strict=True):
            self.assertGreaterEqual(after - before, delay)
            self.assertLess(after - before, delay + 10)
        self.assertEqual([request.json["attempt"] for request in self.receiver.requests], [1, 2, 3])
        self.assertEqual(len({request.headers["webhook-id"] for request in self.receiver.requests}), 1)


class Bodies(TasksTest):
    def test_a_payload_arrives_byte_for_byte(self):
        payload = ('{ "z":1e2,"a" : 1.0, "a":"twice", "n":12345678901234567890.10,\n'
                   '"nul":"\\u0000","pair":"\\ud83d\\ude00", "é":"😀\\/" , "deep":[[{"x":[]}]]}')
        reply = self.api.post("/v1/tasks", f'{{"queue": "{self.queue}", "payload":{payload}, '
                              f'"webhook_url":"{self.receiver.url("/hook")}"}}'.encode())
        self.assertEqual(reply.status, 201, reply.body)
        task = reply.json["id"]
        [webhook] = self.receiver.wait_for(lambda requests: requests)
        self.assertEqual(webhook.body.decode(), f'{{"task_id":"{task}","queue":"{self.queue}",'
                                                f'"payload":{payload},"attempt":1}}')
        for body in (reply.body, self.api.get(f"/v1/tasks/{task}").body):
            self.assertIn(f'"payload":{payload},'.encode(), body)

    def test_a_raw_body_arrives_byte_for_byte(self):
        text, binary = "a=1&b=\u0000é\r\n", bytes(range(256)) * 4
        self.create(body=text, content_type="text/x-made-up; charset=utf-8")
        self.receiver.wait_for(lambda requests: len(requests) == 1)
        task = self.create(payload_base64=base64.b64encode(binary).decode(), method="PUT")
        first, second = self.receiver.wait_for(lambda requests: len(requests) == 2)
        self.assertEqual((first.body, first.headers["Content-Type"]),
                         (text.encode(), "text/x-made-up; charset=utf-8"))
        self.assertEqual((second.body, second.method), (binary, "PUT"))
        self.assertEqual(base64.b64decode(self.get(task)["payload_base64"]), binary)

    def test_no_payload_is_null(self):
        self.create()
        [webhook] = self.receiver.wait_for(lambda requests: requests)
        self.assertIsNone(webhook.json["payload"])

    def test_headers_are_sent(self):
        self.create(headers={"X-Mine": "ä, tab\there", "Accept": "x/y"})
        [webhook] = self.receiver.wait_for(lambda requests: requests)
        self.assertEqual(webhook.headers["X-Mine"].encode("latin-1").decode(), "ä, tab\there")
        self.assertEqual((webhook.headers["Accept"], webhook.headers["Postern-Queue"]),
                         ("x/y", self.queue))


class Verbs(TasksTest):
    def test_a_long_poll_returns_when_the_status_changes(self):
        release = self.hold()
        task = self.create(delay=3)  # the first poll begins before that
        for expected, change in (("active", lambda: None), ("completed", release.set)):
            change()
            begin = time.monotonic()
            now = self.api.get(f"/v1/tasks/{task['id']}?wait=20").json
            self.assertEqual(now["status"], expected)
            self.assertLess(time.monotonic() - begin, 15)  # well before the requested 20 s

    def test_a_long_poll_without_a_change_takes_the_whole_wait(self):
        task = self.create(delay=300)
        begin = time.monotonic()
        self.assertEqual(self.api.get(f"/v1/tasks/{task['id']}?wait=1").json["status"], "pending")
        self.assertGreaterEqual(time.monotonic() - begin, 1)

    def test_cancel(self):
        task = self.create(delay=3)
        reply = self.api.post(f"/v1/tasks/{task['id']}/cancel")
        self.assertEqual((reply.status, reply.json["status"]), (200, "cancelled"))
        self.assert_refused(self.api.post(f"/v1/tasks/{task['id']}/cancel"), 409, "task_already_finished")
        later, release = self.active(delay=4)  # later than the cancelled task would have started
        self.assert_refused(self.api.post(f"/v1/tasks/{later['id']}/cancel"), 409, "task_already_active")
        release.set()
        self.assertEqual(self.finished(later)["status"], "completed")
        self.assertEqual([request.json["task_id"] for request in self.receiver.requests], [later["id"]])

    def test_a_manual_retry_gives_a_fresh_budget(self):
        self.receiver.on("/hook", 500, 500, 200)
        task = self.finished(self.create(max_retries=0))
        self.assertEqual((task["status"], task["reason"], task["attempt_count"]),
                         ("failed", "exhausted", 1))
        for attempts, status in ((2, "failed"), (3, "completed")):
            reply = self.client("worker").post(f"/v1/tasks/{task['id']}/retry")
            self.assertEqual((reply.status, reply.json["id"]), (200, task["id"]))
            self.wait_until(lambda: self.get(task)["attempt_count"] == attempts)
            self.assertEqual(self.finished(task)["status"], status)
        self.assertEqual([each["number"] for each in self.get(task)["attempts"]], [1, 2, 3])
        pending = self.create(delay=300)
        self.assert_refused(self.api.post(f"/v1/tasks/{pending['id']}/retry"), 409, "task_not_finished")

    def test_an_idempotency_key_makes_one_task(self):
        body = {"queue": self.queue, "webhook_url": self.receiver.url("/hook"), "delay": 300}

        def post(_):
            return self.client("admin").post("/v1/tasks", body, headers={"Idempotency-Key": "k-1"})

        with concurrent.futures.ThreadPoolExecutor(50) as clients:
            replies = list(clients.map(post, range(50)))
        self.assertEqual(sorted(reply.status for reply in replies), [200] * 49 + [201])
        self.assertEqual(len({reply.json["id"] for reply in replies}), 1)
        self.assertEqual({reply.headers["Idempotency-Replayed"] for reply in replies
                          if reply.status == 200}, {"true"})
        self.assertEqual(self.api.get(f"/v1/tasks?queue={self.queue}").json["count"], 1)
        other = self.api.post("/v1/tasks", {**body, "delay": 301}, headers={"Idempotency-Key": "k-1"})
        self.assert_refused(other, 422, "idempotency_key_reused")
        self.api.delete(f"/v1/tasks/{replies[0].json['id']}")  # deletes the idempotency key, too
        self.assertEqual(post(0).status, 201)


class Access(TasksTest):
    def test_tenants_do_not_see_each_other(self):
        self.stack.postern("tenant", "create", "--name", "acme")
        made = self.stack.postern("key", "create", "--name", "acme", "--role", "admin", "--tenant", "acme")
        theirs = Api(self.stack.url, made["key"])
        self.addCleanup(theirs.close)
        keyed = {"Idempotency-Key": "both"}
        body = {"queue": self.queue, "webhook_url": self.receiver.url("/hook"), "delay": 300}
        mine = self.api.post("/v1/tasks", body, headers=keyed).json["id"]
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry")):
            self.assert_refused(theirs.request(method, f"/v1/tasks/{mine}{path}"), 404, "task_not_found")
        self.assertEqual(theirs.get("/v1/tasks").json["tasks"], [])
        self.assertEqual(theirs.get(f"/v1/tasks?cursor={mine}").json["tasks"], [])
        self.assertEqual(theirs.get("/v1/info").json["task_count"], 0)
        reply = theirs.post("/v1/tasks", body, headers=keyed)
        self.assertEqual(reply.status, 201)
        self.assertEqual([task["id"] for task in theirs.get("/v1/tasks").json["tasks"]],
                         [reply.json["id"]])
        self.assertEqual(self.api.get(f"/v1/tasks/{mine}").json["status"], "pending")

    def test_roles(self):
        task = f"/v1/tasks/{self.completed()['id']}"
        new = {"queue": self.queue, "webhook_url": self.receiver.url("/hook")}
        for role, allowed in (("worker", {"get", "retry"}), ("read", {"get"})):
            api = self.client(role)
            for name, reply in (("get", api.get(task)), ("get", api.get("/v1/tasks")),
                                ("get", api.get("/v1/info")), ("create", api.post("/v1/tasks", new)),
                                ("cancel", api.post(f"{task}/cancel")), ("delete", api.delete(task)),
                                ("retry", api.post(f"{task}/retry"))):
                with self.subTest(role=role, verb=name):
                    if name in allowed:
                        self.assertEqual(reply.status, 200)
                    else:
                        self.assert_refused(reply, 403, "role_not_allowed")
        self.assertEqual(self.finished({"id": task.rpartition("/")[2]})["attempt_count"], 2)


if __name__ == "__main__":
    unittest.main()
