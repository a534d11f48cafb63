#!/usr/bin/python3
"""The SQL door: tasks enqueued inside the caller's own transaction, by a role without other privileges."""

import subprocess
import unittest

from harness import Api, StackTest


class SqlDoor(StackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stack.postgres.psql("CREATE ROLE app LOGIN; GRANT postern_enqueue TO app;"
                                "CREATE TABLE mail (address text); GRANT INSERT ON mail TO app")

    def sql(self, text, role="app"):
        """The output of psql, or its error."""
        postgres = self.stack.postgres
        done = subprocess.run([postgres.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", postgres.url(role)],
                              input=text, capture_output=True, text=True)
        return done.stdout.strip() or done.stderr.strip()

    def enqueue(self, path, payload="{}", more=""):
        return f"SELECT postern.enqueue('door', '{self.receiver.url(path)}', '{payload}'{more});"

    def test_the_task_exists_if_the_transaction_commits(self):
        undone = self.sql("BEGIN; INSERT INTO mail VALUES ('a'); " + self.enqueue("/undone") + "ROLLBACK;")
        failed = self.sql("BEGIN; " + self.enqueue("/failed") + "SELECT 1/0; COMMIT;")
        done = self.sql("BEGIN; INSERT INTO mail VALUES ('b'); "
                        + self.enqueue("/done", '{"to": "b", "n": 1e2}', ", priority => 8") + "COMMIT;")
        task = self.finished({"id": done})  # the id in SQL's spelling
        self.assertEqual((task["status"], task["queue"], task["priority"]), ("completed", "door", 8))
        queue = self.api.get("/v1/queues/door").json
        self.assertEqual((queue["max_concurrent"], queue["max_runtime"]), (-1, 0))
        [webhook] = self.receiver.requests
        self.assertEqual((webhook.path, webhook.json["task_id"]), ("/done", task["id"]))
        self.assertEqual(webhook.json["payload"], {"to": "b", "n": 100})
        for lost in (undone, failed.splitlines()[0]):
            self.assertEqual(self.api.get(f"/v1/tasks/{lost}").status, 404)
        # Who made the task left no row of its lane: the scheduler that claimed it notes one.
        target = self.receiver.url("").split("/")[2]
        self.wait_until(lambda: self.stack.postgres.psql(
            "SELECT id FROM postern.lane WHERE tenant = 'default' AND queue = 'door' "
            f"AND target = '{target}' AND used_at = date_trunc('hour', used_at)"), 20, "the lane has a row")

    def test_nothing_is_sent_while_the_transaction_is_open(self):
        postgres = self.stack.postgres
        with subprocess.Popen([postgres.bin / "psql", "-XAtq", postgres.url("app")], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            client.stdin.write("BEGIN; " + self.enqueue("/open") + "\n")
            client.stdin.flush()
            self.assertTrue(client.stdout.readline().strip())
            # A later transaction commits first and its task is delivered, so a scheduler has claimed since.
            self.sql(self.enqueue("/overtakes"))
            self.receiver.wait_for(lambda requests: requests)
            client.stdin.write("COMMIT;\n")
            client.stdin.close()
            self.receiver.wait_for(lambda requests: len(requests) == 2)
        self.assertEqual([request.path for request in self.receiver.requests], ["/overtakes", "/open"])

    def test_a_body_of_any_bytes_and_a_delay(self):
        task = self.sql(f"SELECT postern.enqueue('door', '{self.receiver.url('/raw')}', "
                        "'\\x00ff0a'::bytea, 'a/b', delay => '1 second', tags => '{x}')")
        self.assertEqual(self.get({"id": task})["status"], "pending")
        [webhook] = self.receiver.wait_for(lambda requests: requests)
        self.assertEqual((webhook.body, webhook.headers["Content-Type"]), (b"\x00\xff\n", "a/b"))

    def test_enqueue_refuses_wrong_ranges_and_shapes(self):
        for text in ("SELECT postern.enqueue('no such!', 'http://a.example/')",
                     "SELECT postern.enqueue('door', 'ftp://a.example/')",
                     "SELECT postern.enqueue('door', 'http://u:p@a.example/')",
                     "SELECT postern.enqueue('door', 'http://a.example/', priority => 11)",
                     "SELECT postern.enqueue('door', 'http://a.example/', delay => '-1 s')"):
            self.assertIn("must", self.sql(text))

    def test_what_the_api_refuses_is_refused_with_its_argument_named(self):
        for more, argument in ((", headers => '{\"Host\": \"else\"}'", "headers"),
                               (", headers => '{\"Webhook_Signature\": \"x\"}'", "headers"),
                               (", retry_policy => '{\"intervals\":'", "retry_policy"),
                               (", tags => '{\"a b\"}'", "tags"),
                               (", run_at => '-infinity'", "run_at"),
                               (", deadline => 'infinity'", "deadline"),
                               (", timeout => '31 minutes'", "timeout")):
            self.assertRegex(self.sql(self.enqueue("/x", more=more)), f"ERROR: +{argument}: ")
        self.assertEqual(self.receiver.requests, [])

    def test_a_payload_is_judged_like_that_of_the_api(self):
        def nested(levels):
            return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)

        for payload, taken in (("[1]", False), ("1", False), (nested(64), False), (nested(63), True), ("null", True)):
            reply = self.api.request("POST", "/v1/tasks", '{"queue": "payloads", "webhook_url": "%s", "payload": %s}' % (
                self.receiver.url("/http"), payload))
            told = self.sql(self.enqueue("/sql", payload).replace("'door'", "'payloads'"))
            self.assertEqual((reply.status, told.startswith("ERROR:  payload: ")), (201, False) if taken else (400, True), payload)

    def test_urls_are_kept_in_their_canonical_form(self):
        task = self.sql("SELECT postern.enqueue('door', 'HTTP://A.example:80?b', delay => '1 hour')")
        self.assertEqual(self.get({"id": task})["webhook_url"], "http://a.example/?b")

    def test_max_tries_of_the_queue_holds(self):
        self.api.request("PUT", "/v1/queues/tries", {"max_tries": 1})
        self.receiver.on("/tries", 500)
        task = self.sql(f"SELECT postern.enqueue('tries', '{self.receiver.url('/tries')}', max_retries => 9)")
        task = self.finished({"id": task})
        self.assertEqual((task["reason"], task["attempt_count"]), ("exhausted", 1))

    def test_a_full_queue_is_told_by_the_end_of_the_task(self):
        self.api.request("PUT", "/v1/queues/full", {"max_entries": 2})
        later = f"'{self.receiver.url('/full')}', delay => '1 hour'"
        made = self.sql(f"SELECT postern.enqueue('full', {later}) FROM generate_series(1, 3)").split()
        dependent = self.api.post("/v1/tasks", {"queue": "door", "webhook_url": self.receiver.url("/after"),
                                                "dependencies": [made[2]]}).json
        task = self.finished({"id": made[2]})
        self.assertEqual((task["status"], task["reason"], task["attempts"]), ("failed", "queue_full", []))
        self.assertEqual([self.get({"id": task})["status"] for task in made[:2]], ["pending", "pending"])
        self.assertEqual(self.finished(dependent)["reason"], "unreachable")
        refused = self.api.post("/v1/tasks", {"queue": "full", "webhook_url": self.receiver.url("/full")})
        self.assertEqual((refused.status, refused.json["error"]["details"]["reason"]), (409, "queue_full"))

    def test_a_full_queue_that_discards_keeps_the_last_ones(self):
        self.api.request("PUT", "/v1/queues/last", {"max_entries": 2, "discard_old": True})
        later = f"'{self.receiver.url('/last')}', delay => '1 hour'"
        made = self.sql(f"SELECT postern.enqueue('last', {later}) FROM generate_series(1, 5)").split()
        self.assertEqual([self.finished({"id": task})["reason"] for task in made[:3]], ["discarded"] * 3)
        self.assertEqual([self.get({"id": task})["status"] for task in made[3:]], ["pending", "pending"])

    def test_what_only_the_programs_refuse_ends_as_invalid(self):
        postgres = self.stack.postgres
        task = postgres.psql("BEGIN; SELECT postern.enqueue('door', 'http://a.example/'); "
                             "UPDATE postern.task SET headers = '{\"Host\": \"else\"}' WHERE lane IS NULL; COMMIT")
        task = self.finished({"id": task.split()[0]})
        self.assertEqual((task["status"], task["reason"], task["attempts"]), ("failed", "invalid", []))
        self.assertIn("Host", task["last_error"])

    def test_a_role_enqueues_for_its_tenant_and_can_read_nothing(self):
        self.stack.postern("tenant", "create", "--name", "shop")
        made = self.stack.postern("key", "create", "--name", "shop", "--role", "read", "--tenant", "shop")
        self.stack.postgres.psql("CREATE ROLE shop LOGIN; GRANT postern_enqueue TO shop;"
                                 "INSERT INTO postern.role_tenant VALUES ('shop', 'shop')")
        task = self.sql(self.enqueue("/shop"), "shop")
        self.receiver.wait_for(lambda requests: requests)
        theirs = Api(self.stack.url, made["key"])
        self.addCleanup(theirs.close)
        self.assertEqual(theirs.get(f"/v1/tasks/{task}").status, 200)
        self.assertEqual(self.api.get(f"/v1/tasks/{task}").status, 404)
        for text in ("SELECT * FROM postern.task", "DELETE FROM postern.task", "SELECT postern.tenant_secret",
                     "INSERT INTO postern.role_tenant VALUES ('app', 'shop')"):
            self.assertRegex(self.sql(text, "shop"), "permission denied|does not exist|missing FROM")


if __name__ == "__main__":
    unittest.main()
