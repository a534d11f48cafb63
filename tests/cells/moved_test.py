#!/usr/bin/python3
"""Tenants that are on their way from one cell to the other, or have moved: what their clients see, and what others do not."""

import threading
import time
import unittest
import urllib.parse

from pair import CellsTest, wait_until

from harness import Answer
from speakers import LATER

MOUNTS = {  # of a dialect: where a task is made, a task, and the text of an error
    "native": ("/v1/tasks", {"queue": "q", "delay": 3600, "webhook_url": "http://127.0.0.1:9/"},
               lambda body: body["error"]["message"]),
    "asyncqueue": ("/asyncqueue/v1/tasks", {"targetUrl": "http://127.0.0.1:9/", "delayUntil": LATER},
                   lambda body: body["error"]),
    "taskmq": ("/taskmq/add-job", {"handler": "h", "payload": {}, "scheduled_for": LATER},
               lambda body: body["detail"]),
    "asyncjobs": ("/asyncjobs/v1/tasks", {"type": "h", "queue": "Q", "payload": {}},
                  lambda body: body["error"]["message"]),
}


class MovedTest(CellsTest):
    def setUp(self):
        super().setUp()
        self.acme = self.tenant(self.a)
        self.key = self.a.key("--tenant", self.acme)
        self.furnish(self.a)

    def furnish(self, cell):
        """Makes what the tasks of MOUNTS need."""
        api = self.at(cell.url, cell.key("--tenant", self.acme))
        self.assertEqual(api.request("PUT", "/v1/endpoints/h", {"url": "http://127.0.0.1:9/"}).status, 201)
        self.assertEqual(api.post("/v1/queues", {"name": "Q"}).status, 201)
        self.assertEqual(api.post("/v1/queues/Q/pause").status, 200)

    def move(self, *arguments):
        self.arrive(self.acme)
        self.furnish(self.b)
        self.leave(self.acme)


class Moved(MovedTest):
    def test_an_old_key_and_a_token_lead_to_the_present_cell(self):
        self.move()
        token = self.token(tenant=self.acme)
        for credential in (self.key, token):
            for url in (self.front, self.a.url):
                before = self.count(self.b, self.acme)
                made = self.at(url, credential).post("/v1/tasks", self.task())
                self.assertEqual(made.status, 201, made.body)
                self.assertTrue(made.headers["Location"].startswith(self.b.url))
                self.assertEqual(self.count(self.b, self.acme), before + 1)
        self.assertEqual(self.count(self.a, self.acme), 0)
        self.assertEqual(self.at(self.front, self.key).get("/v1/whoami").json["tenant"], self.acme)

    def test_a_sandbox_key_stays_one(self):
        key = self.a.key("--tenant", self.acme, "--sandbox")
        self.assertTrue(key.startswith("aq_test_a_"))
        self.move()
        api = self.at(self.front, key)
        self.assertTrue(api.get("/v1/whoami").json["sandbox"])
        self.assertEqual(api.post("/v1/tasks", self.task()).json["queue"], "aq_test")
        self.assertEqual(self.count(self.b, self.acme), 1)

    def test_a_large_body_is_led_on_whole(self):
        api = self.at(self.front, self.key)
        api.get("/v1/tasks")
        self.move()
        made = api.post("/v1/tasks", self.task(payload={"x": "y" * 300_000}))
        self.assertEqual(made.status, 201, made.body)
        self.assertEqual(int(self.b.postgres.psql(
            f"SELECT length(body) FROM postern.task WHERE tenant = '{self.acme}'")), 300_009)

    def test_others_of_the_cell_stay(self):
        other = self.tenant(self.a)
        key = self.a.key("--tenant", other)
        self.move()
        self.assertEqual(self.at(self.front, key).post("/v1/tasks", self.task()).status, 201)
        self.assertEqual((self.count(self.a, other), self.count(self.b, other)), (1, 0))

    def test_a_label_that_nginx_does_not_know_is_a_308(self):
        self.a.postgres.psql(f"""UPDATE postern.tenant SET state = 'moved', moved_to = 'zz', moved_url = 'https://zz.example/q',
                             moved_at = now() WHERE name = '{self.acme}'""")
        api = self.at(self.front, self.key)
        reply = wait_until(lambda: (reply := api.get("/v1/tasks?limit=3")).status != 200 and reply)
        self.assertEqual((reply.status, reply.headers["Location"]), (308, "https://zz.example/q/v1/tasks?limit=3"))
        self.assertEqual(reply.json["error"]["details"]["reason"], "tenant_moved")

    def test_a_tenant_may_move_twice_and_back(self):
        self.move()
        self.keys_back()
        api = self.at(self.front, self.key)

        def works(cell):
            before = self.count(cell, self.acme)
            return api.post("/v1/tasks", self.task()).status == 201 and self.count(cell, self.acme) == before + 1
        wait_until(lambda: works(self.a))

    def keys_back(self):
        self.a.place("here", self.acme)
        self.b.place("moved", self.acme, to=self.a)


class Kept(MovedTest):
    """nginx keeps a verdict for 5 s."""

    def test_a_key_that_is_revoked_in_the_present_cell_ends_within_5_s(self):
        self.move()
        api = self.at(self.front, self.key)
        self.assertEqual(api.get("/v1/tasks").status, 200)
        name = api.get("/v1/whoami").json["identity"]
        self.b.postern("key", "revoke", "--tenant", self.acme, "--name", name)
        refused = wait_until(lambda: (reply := api.get("/v1/tasks")).status == 401 and reply, 15, "5 s are over")
        self.assertEqual(refused.json["error"]["details"]["reason"], "credential_invalid")
        # In the form of each mount.
        for path, _, message in MOUNTS.values():
            reply = api.request("HEAD" if path == "/v1/tasks" else "GET", path.replace("add-job", "job/1"))
            self.assertEqual(reply.status, 401, path)
            if reply.body:
                self.assertTrue(message(reply.json))

    def test_what_nginx_has_kept_is_led_on_at_once(self):
        """Of the verdicts that nginx keeps for 5 s none leads anybody to what is gone."""
        api = self.at(self.front, self.key)
        for path, task, _ in MOUNTS.values():
            made = api.post(path, task)
            self.assertEqual(made.status // 100, 2, made.body)
        self.move()
        since = time.monotonic()
        while time.monotonic() < since + 7:  # longer than any verdict is kept
            for path, task, _ in MOUNTS.values():
                made = api.post(path, task)
                self.assertIn(made.status, (200, 201, 202), made.body)
                if path == "/v1/tasks":
                    self.assertTrue(made.headers["Location"].startswith(self.b.url))
            self.assertEqual(api.get("/v1/tasks").status, 200)
            self.assertEqual(api.request("HEAD", "/v1/tasks").status, 200)
            self.assertEqual(api.request("OPTIONS", "/v1/tasks").status, 405)
            time.sleep(0.1)
        self.assertGreater(self.count(self.b, self.acme), 0)


class OnTheWay(CellsTest):
    def setUp(self):
        super().setUp()
        self.acme = self.tenant(self.a)
        self.key = self.a.key("--tenant", self.acme)
        self.api = self.at(self.front, self.key)

    def state(self, state, seen):
        """Says where the tenant is, and waits until `seen` is the status of a new task."""
        self.a.place(state, self.acme)
        wait_until(lambda: self.api.post("/v1/tasks", self.task()).status == seen)

    def test_while_it_is_fenced_it_reads_and_writes_are_told_to_wait(self):
        self.assertEqual(self.api.post("/v1/tasks", self.task()).status, 201)
        self.state("draining", 201)
        self.state("fenced", 503)
        self.assertGreaterEqual(len(self.api.get("/v1/tasks").json["tasks"]), 2)
        for name, (path, task, message) in MOUNTS.items():
            refused = self.api.post(path, task)
            self.assertEqual((refused.status, refused.headers["Retry-After"]), (503, "1"), (name, refused.body))
            self.assertIn("another cell", message(refused.json))
        reason = self.api.post("/v1/queues", {"name": "new"}).json["error"]["details"]["reason"]
        self.assertEqual(reason, "tenant_moving")
        self.state("here", 201)

    def test_where_it_arrives_nobody_sees_half_of_it(self):
        self.b.postern("tenant", "create", "--name", self.acme)
        self.keys_too(self.acme, self.a, self.b)
        self.b.place("arriving", self.acme)
        early = self.at(self.b.url, self.key)
        wait_until(lambda: early.get("/v1/tasks").status == 503)
        for reply in (early.get("/v1/tasks"), early.post("/v1/tasks", self.task())):
            self.assertEqual((reply.status, reply.headers["Retry-After"]), (503, "1"), reply.body)
        self.assertEqual(self.api.get("/v1/tasks").status, 200)

    def test_a_long_poll_goes_on_in_the_other_cell(self):
        task = self.api.post("/v1/tasks", self.task()).json
        got = []
        waiter = threading.Thread(target=lambda: got.append(
            self.at(self.front, self.key).get(f"/v1/tasks/{task['id']}?wait=25")))
        waiter.start()
        self.move(self.acme)
        waiter.join(20)  # before the 25 s are over
        self.assertFalse(waiter.is_alive())
        self.assertEqual(got[0].status, 404)  # where its rows are not, in this test: the other cell was asked


class WithoutACredential(CellsTest):
    def test_completion_urls_lead_to_the_present_cell(self):
        """By the task's row while it is there, and after that by what the move has noted."""
        acme = self.tenant(self.a)
        api = self.at(self.front, self.a.key("--tenant", acme))
        self.receiver.on("/hook", Answer(202, headers={"Postern-Defer": "60"}))
        task = api.post("/v1/tasks", {"queue": "default", "webhook_url": self.receiver.url("/hook")}).json
        request = self.receiver.wait_for(lambda requests: requests)[0]
        url = urllib.parse.urlsplit(request.headers["Postern-Complete-Url"])
        self.assertEqual(f"http://{url.netloc}", self.a.url)
        self.move(acme)
        nobody, of_another = self.at(self.a.url), task["id"][:-1] + ("1" if task["id"].endswith("0") else "0")
        forged = url.path.replace(url.path.split("/")[3], of_another)
        for gone in (False, True):
            if gone:
                self.a.postgres.psql(f"""
                    INSERT INTO postern.moved_task SELECT id, tenant, now() + '1 day' FROM postern.task WHERE tenant = '{acme}';
                    DELETE FROM postern.lease WHERE task IN (SELECT id FROM postern.task WHERE tenant = '{acme}');
                    DELETE FROM postern.task WHERE tenant = '{acme}'""")
            for what in ("complete", "fail", "heartbeat"):
                path = url.path.removesuffix("complete") + what
                reply = nobody.post(f"{path}?{url.query}", {"seconds": 60})
                self.assertEqual((reply.status, reply.headers["Location"]),
                                 (308, f"{self.b.url}{path}?{url.query}"), (gone, what, reply.body))
            self.assertEqual(nobody.post(f"{forged}?{url.query}", {}).status, 403)
            self.assertEqual(nobody.get(f"{url.path}?{url.query}").status, 405)

    def test_signals_lead_to_the_present_cell(self):
        acme = self.tenant(self.a)
        api = self.at(self.front, self.a.key("--tenant", acme))
        made = api.post("/asyncqueue/v1/tasks", {"targetUrl": self.receiver.url("/hook"), "waitForSignal": True,
                                                 "maxWaitTime": 3600}).json
        self.move(acme)
        for mount in ("/asyncqueue", ""):
            path = f"{mount}/v1/signals/{made['signalToken']}"
            for url in (self.a.url, self.front):
                reply = self.at(url).post(path, {"status": "completed"})
                self.assertEqual((reply.status, reply.headers["Location"]), (308, self.b.url + path), reply.body)
            self.assertEqual(self.at(self.b.url).post(path, {"status": "completed"}).status, 404)


if __name__ == "__main__":
    unittest.main()
