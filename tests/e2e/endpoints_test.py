#!/usr/bin/python3
"""Endpoints on the whole stack, with two schedulers where limits must hold across both."""

import base64
import datetime
import threading
import time
import unittest

from harness import Answer, StackTest
from receiver import Answer
from signature_test import REFUSAL, verify


class EndpointTest(StackTest):
    """Each test deletes its endpoints, because later tests' tasks could match their names."""

    def endpoint(self, name, path="/hook", **fields):
        reply = self.api.post("/v1/endpoints", {"name": name, "url": self.receiver.url(path), **fields})
        self.assertEqual(reply.status, 201, reply.body)
        self.addCleanup(self.api.delete, f"/v1/endpoints/{name or '*'}")
        return reply.json

    def change(self, name, **fields):
        reply = self.api.request("PATCH", f"/v1/endpoints/{name}", fields)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    def do(self, name, verb, body=None, status=200):
        reply = self.api.post(f"/v1/endpoints/{name}/{verb}", body)
        self.assertEqual(reply.status, status, reply.body)
        return reply.json

    def to(self, endpoint, **fields):
        """A new task that names the endpoint."""
        return self.create(webhook_url=None, endpoint=endpoint, **fields)

    def arrived_at(self, path, count=1, timeout=30):
        self.receiver.wait_for(lambda requests: sum(r.path == path for r in requests) >= count, timeout)
        return self.receiver.at(path)


class Resolution(EndpointTest):
    def test_the_exact_name_then_the_longest_prefix_then_the_catch_all(self):
        for name in ("*", "mail", "mail:bulk"):
            self.endpoint(name, f"/{name}")
        for named, path, resolved in (("mail", "/mail", None), ("mail:bulk", "/mail:bulk", None),
                                      ("mail:bulk:7", "/mail:bulk", "mail:bulk"), ("mail:x", "/mail", "mail"),
                                      ("mailbox", "/mail", "mail"), ("sms", "/*", "")):
            with self.subTest(named):
                task = self.finished(self.to(named))
                self.assertEqual(task["status"], "completed", task)
                self.assertEqual(task["endpoint"], named)
                self.assertEqual(task.get("resolved_endpoint"), resolved)
                self.assertEqual([r.path for r in self.receiver.requests if task["id"] in r.body.decode()], [path])

    def test_a_change_applies_to_waiting_tasks(self):
        self.endpoint("old", "/old", paused=True)
        waiting = [self.to("old:1"), self.to("old")]
        self.endpoint("old:1", "/special")
        self.change("old", url=self.receiver.url("/new"), method="PUT", headers={"X-A": "1"}, paused=False)
        for task in waiting:
            self.assertEqual(self.finished(task)["status"], "completed")
        self.assertEqual([len(self.receiver.at(path)) for path in ("/old", "/new", "/special")], [0, 1, 1])
        request, = self.receiver.at("/new")
        self.assertEqual((request.method, request.headers["X-A"]), ("PUT", "1"))

    def test_a_task_of_a_deleted_endpoint_fails_attempts_until_there_is_one_again(self):
        self.endpoint("gone", paused=True)
        task = self.to("gone", retry_policy={"intervals": [1]}, max_retries=20)
        self.assertEqual(self.api.delete("/v1/endpoints/gone").status, 204)
        self.assertEqual(self.api.get("/v1/endpoints/gone").status, 404)
        tried = self.wait_until(lambda: (now := self.get(task))["attempt_count"] and now["attempts"] and now)
        self.assertEqual(tried["status"], "pending")
        self.assertEqual(tried["last_error"], "no endpoint named gone")
        self.assertNotIn("resolved_endpoint", tried)
        self.endpoint("gone")
        self.assertEqual(self.finished(task)["status"], "completed")
        # The scheduler looks for the endpoint every two seconds at most.
        self.api.delete("/v1/endpoints/gone")
        wanted = {"queue": "default", "endpoint": "gone", "delay": 3600}
        reply = self.wait_until(lambda: (r := self.api.post("/v1/tasks", wanted)).status == 404 and r)
        self.assertEqual(reply.json["error"]["details"], {"reason": "endpoint_not_found", "field": "endpoint"})


class Requests(EndpointTest):
    def test_headers_of_the_task_win_over_those_of_the_endpoint(self):
        self.endpoint("h", headers={"X-Both": "endpoint", "X-Endpoint": "e", "Authorization": "Bearer t"})
        self.to("h", headers={"x-both": "task", "X-Task": "t"})
        request, = self.arrived_at("/hook")
        self.assertEqual([request.headers.get_all(name) for name in ("X-Both", "X-Endpoint", "X-Task")],
                         [["task"], ["e"], ["t"]])
        self.assertEqual(request.headers["Authorization"], "Bearer t")

    def test_its_timeout_applies_unless_the_task_has_one(self):
        self.receiver.on("/hook", Answer(delay=3))
        self.endpoint("slow", timeout_seconds=1)
        short = self.to("slow", max_retries=0)
        long = self.to("slow", max_retries=0, timeout=20)
        self.assertEqual(self.finished(short)["status"], "failed")
        self.assertEqual(self.get(short)["attempts"][0]["error"], "no answer within 1 s")
        self.assertEqual(self.finished(long)["status"], "completed")

    def test_both_secrets_sign_during_a_rotation(self):
        tenants = self.stack.postern("secret", "show")["secret"]
        given = "whsec_" + base64.b64encode(bytes(range(32))).decode()
        self.endpoint("signed", "/signed")

        def signatures(*secrets):
            """The package's verdict on the next webhook for each secret, and the number of its signatures."""
            before = len(self.receiver.at("/signed"))
            self.to("signed", payload={"a": "ä"})
            request = self.arrived_at("/signed", before + 1)[-1]
            said = verify(*((secret, request.headers, request.body) for secret in secrets))
            return said, len(request.headers["webhook-signature"].split())

        self.assertEqual(signatures(tenants), (["ok"], 1))
        self.assertEqual(self.do("signed", "rotate", {"secret": given})["secret"], given)
        self.assertEqual(signatures(given, tenants), (["ok", "ok"], 2))
        self.do("signed", "rotate", status=409)
        new = self.do("signed", "rotate?force=true")["secret"]
        self.assertEqual(signatures(new, given, tenants), (["ok", "ok", REFUSAL], 2))
        self.stack.postgres.psql("UPDATE postern.endpoint SET previous_until = now() WHERE name = 'signed'")
        self.assertEqual(signatures(new, given), (["ok", REFUSAL], 1))
        self.change("signed", secret=None)
        self.assertEqual(signatures(tenants, new), (["ok", REFUSAL], 1))


class Limits(EndpointTest):
    """Limits as seen by the receiver, over two queues and two schedulers."""

    def setUp(self):
        super().setUp()
        self.another_scheduler("second")
        self.wait_until(lambda: self.stack.postgres.psql(
            "SELECT 1 FROM postern.instance WHERE name = 'second' LIMIT 1"))

    def fill(self, endpoint, count):
        """Creates `count` tasks while the endpoint is paused, so that all are ready at once."""
        self.do(endpoint, "pause")
        for i in range(count):
            self.to(endpoint, queue=f"limits-{i % 2}")
        self.do(endpoint, "resume")

    def test_never_exceeds_max_in_flight(self):
        lock, now, most = threading.Lock(), 0, 0

        def come(_):
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.05)
            with lock:
                now -= 1

        self.receiver._on_request = come
        self.endpoint("narrow", max_in_flight=3)
        self.fill("narrow", 60)
        self.arrived_at("/hook", 60, timeout=60)
        self.assertEqual(most, 3)

    def test_never_exceeds_the_rate(self):
        self.endpoint("slow", rate_limit={"count": 10, "period_seconds": 1})
        self.fill("slow", 40)
        self.arrived_at("/hook", 40, timeout=120)
        # At most ten in any second: the eleventh comes a second after the first. By when they were claimed, because a busy
        # machine delays some on their way.
        claimed = ("SELECT extract(epoch FROM (each ->> 'executed_at')::timestamptz) FROM postern.task_finished, "
                   "json_array_elements(attempts) AS each WHERE endpoint = 'slow' ORDER BY 1")
        self.wait_until(lambda: len(self.stack.postgres.psql(claimed).split()) == 40, what="all are over")
        times = [float(time) for time in self.stack.postgres.psql(claimed).split()]
        self.assertGreaterEqual(min(b - a for a, b in zip(times, times[10:])), 0.95)
        self.assertLess(times[-1] - times[0], 30)


class Verbs(EndpointTest):
    def test_paused_tasks_wait_for_the_resume(self):
        self.endpoint("held")
        self.assertTrue(self.do("held", "pause")["paused"])
        held = self.to("held")
        other = self.create(webhook_url=self.receiver.url("/other"))
        self.assertEqual(self.finished(other)["status"], "completed")
        # The scheduler searches a second time, and the held task is still ready.
        self.finished(self.create(webhook_url=self.receiver.url("/other"), delay=2))
        self.assertEqual(self.get(held)["status"], "pending")
        self.assertEqual(self.receiver.at("/hook"), [])
        self.assertFalse(self.do("held", "resume")["paused"])
        self.assertEqual(self.finished(held)["status"], "completed")

    def test_a_test_is_delivered_once_and_can_be_waited_for(self):
        self.endpoint("tried")
        task = self.do("tried", "test", {"payload": {"hello": "there"}}, status=201)
        over = self.api.get(f"/v1/tasks/{task['id']}?wait=10").json
        while over["status"] not in ("completed", "failed"):
            over = self.api.get(f"/v1/tasks/{task['id']}?wait=10").json
        self.assertEqual(over["status"], "completed")
        self.assertEqual(self.receiver.requests[0].json["payload"], {"hello": "there"})
        self.receiver.on("/hook", 500)
        failed = self.finished(self.do("tried", "test", status=201))
        self.assertEqual((failed["status"], failed["attempt_count"]), ("failed", 1))
        self.endpoint("", "/rest")
        self.assertEqual(self.finished(self.do("*", "test", status=201))["status"], "completed")
        self.assertEqual(len(self.receiver.at("/rest")), 1)

    def test_recover_retries_failed_tasks(self):
        began = datetime.datetime.now(datetime.timezone.utc)
        self.receiver.on("/hook", 500)
        self.endpoint("down")
        self.endpoint("other", "/other")
        failed = [self.to(name, max_retries=0) for name in ("down", "down:x", "down")]
        self.finished(self.to("other", max_retries=0))
        for task in failed:
            self.assertEqual(self.finished(task)["status"], "failed")
        self.receiver.on("/hook", 200)
        since = {"since": (began - datetime.timedelta(seconds=5)).isoformat()}
        self.assertEqual(self.do("down", "recover", {**since, "until": began.isoformat()}), {"count": 0})
        self.assertEqual(self.do("down", "recover", {**since, "dry_run": True}), {"count": 3, "dry_run": True})
        self.assertEqual(self.do("down", "recover", since), {"count": 3})
        for task in failed:
            over = self.finished(task)
            self.assertEqual((over["status"], over["attempt_count"]), ("completed", 2))
        self.assertEqual(self.do("down", "recover", since), {"count": 0})
        self.assertEqual(len(self.receiver.at("/other")), 1)

    def test_health_counts_successes_and_failures(self):
        self.receiver.on("/hook", 200, 500, 200, 200)
        self.endpoint("watched")
        for name in ("watched", "watched", "watched:x", "watched"):
            self.finished(self.to(name, max_retries=0))

        def health():
            return self.api.get("/v1/endpoints/watched").json["health"]

        self.wait_until(lambda: health()["attempts"] == 4, 20)
        said = health()
        self.assertEqual((said["success_rate"], said["breaker"]), (0.75, "closed"))
        self.assertGreater(said["p95_ms"], 0)

    def test_health_counts_what_is_in_flight(self):
        self.receiver.on("/hook", Answer(delay=20))
        self.endpoint("slow")
        for name in ("slow", "slow:x", "slow"):
            self.to(name, max_retries=0)
        self.endpoint("idle")

        def in_flight(name):
            return self.api.get(f"/v1/endpoints/{name}").json["health"]["in_flight"]

        self.wait_until(lambda: in_flight("slow") == 3, 20)
        self.assertEqual(in_flight("idle"), 0)

    def test_health_shows_that_the_breaker_is_open(self):
        self.receiver.on("/hook", 503)
        self.endpoint("broken")
        for _ in range(15):
            self.to("broken", max_retries=5, retry_policy={"intervals": [600]})
        self.wait_until(lambda: self.api.get("/v1/endpoints/broken").json["health"]["breaker"] == "open", 30)


if __name__ == "__main__":
    unittest.main()
