#!/usr/bin/python3
"""Tasks at the command line, on the host's database and over HTTP."""

import json
import pathlib
import tempfile
import unittest

from commanding import Commanding, OverHttp

NO_SUCH = "task_01h455vb4pex5vsknk084sn02q"


class Tasks:
    def add(self, *options, target="/cli", **more):
        return self.postern("task", "add", "--queue", "cli", "--webhook-url", self.receiver.url(target), *options,
                            schema="Task", **more)

    def waiting(self, count=1, queue="cli"):
        return [self.create(queue=queue, delay=3600, webhook_url=self.receiver.url("/later"))["id"]
                for _ in range(count)]

    def test_json_is_the_apis_own(self):
        made = self.add("--payload", '{"n": {"deep": [1, 2]}}', "--priority", "8", "--delay", "1h")
        self.assertEqual((made["priority"], made["payload"], made["delay"]), (8, {"n": {"deep": [1, 2]}}, 3600))
        self.assert_as_the_api(f"/v1/tasks/{made['id']}", self.postern("task", "get", made["id"], schema="Task"))
        self.assertIn("priority: 8", self.shown("task", "get", made["id"]))
        [listed] = self.postern("task", "list", "--queue", "cli", "--limit", "1", schema=["Task"])
        self.assertEqual(listed, made)
        self.receiver.on("/over", 500)
        failed = self.finished(self.create(webhook_url=self.receiver.url("/over"), max_retries=0))
        told = self.postern("task", "get", failed["id"], schema="Task")
        self.assertEqual((told["attempt_count"], told["attempts"][0]["response_code"]), (1, 500))

    def test_no_id_is_acted_on_when_one_is_none(self):
        [id] = self.waiting()
        self.postern("task", "cancel", id)
        self.assertIn('"bogus"', self.refused("task", "retry", id, "bogus"))
        self.assertEqual(self.get({"id": id})["status"], "cancelled")
        for verb in ("cancel", "delete"):
            [other] = self.waiting()
            self.refused("task", verb, other, "bogus")
            self.assertEqual(self.get({"id": other})["status"], "pending")

    def test_a_missing_one_is_told_beside_those_done(self):
        ids = self.waiting(2)
        done = self.postern_results("cancel", ids[0], NO_SUCH, ids[1], code=1)
        self.assertEqual([each["status"] for each in done], ["ok", "not_found", "ok"])
        done = self.postern_results("cancel", ids[0], code=1)
        self.assertEqual((done[0]["status"], done[0]["reason"]), ("failed", "task_already_finished"))
        heading, first, second = self.shown("task", "retry", ids[0], NO_SUCH, code=1)
        self.assertEqual(heading.split(), ["id", "result", "why"])
        self.assertEqual(first.split(), [ids[0], "ok"])
        self.assertIn("There is no task", second)
        done = self.postern_results("delete", self.waiting()[0], NO_SUCH, ids[1], code=1)
        self.assertEqual([each["status"] for each in done], ["ok", "not_found", "failed"])

    def postern_results(self, *arguments, code=0):
        done = self.run_postern("--json", "task", *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def test_a_task_has_every_field(self):
        first = self.waiting()[0]
        made = self.add("--method", "PUT", "--header", "X-One: 1", "--header", "X-Two: a: b", "--max-retries", "2",
                        "--retry-policy", '{"intervals": [1, 10]}', "--timeout", "1m", "--tag", "a", "--tag", "b",
                        "--ordering-key", "k", "--after", first, "--on-complete", "http://a.test/done", "--on-failure",
                        "http://a.test/failed", "--deadline", "3h", "--run-at", "2030-01-01T00:00:00+01:00", "--body",
                        "text", "--content-type", "text/plain", code=2)
        self.assertEqual(made["error"]["details"]["reason"], "deadline_before_start")
        made = self.add("--method", "PUT", "--header", "X-One: 1", "--header", "X-Two: a: b", "--max-retries", "2",
                        "--retry-policy", '{"intervals": [1, 10]}', "--timeout", "1m", "--tag", "a", "--tag", "b",
                        "--ordering-key", "k", "--after", first, "--on-complete", "http://a.test/done", "--on-failure",
                        "http://a.test/failed", "--deadline", "3h", "--body", "text", "--content-type", "text/plain")
        self.assertEqual((made["method"], made["headers"], made["timeout"], made["tags"], made["key"]),
                         ("PUT", {"X-One": "1", "X-Two": "a: b"}, 60, ["a", "b"], "k"))
        self.assertEqual((made["status"], made["dependencies"], made["body"], made["content_type"]),
                         ("blocked", [first], "text", "text/plain"))
        self.assertEqual((made["on_complete_url"], made["on_failure_url"], made["retry_policy"]),
                         ("http://a.test/done", "http://a.test/failed", {"intervals": [1, 10], "jitter": 0}))
        self.assertTrue(made["deadline"] and made["max_retries"] == 2)

    def test_bodies_come_from_files(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "body")
            file.write_bytes(b"\x00\xff")
            self.assertEqual(self.add("--body-file", file, "--delay", "1h")["payload_base64"], "AP8=")
            file.write_text('{"big": true}')
            self.assertEqual(self.add("--payload-file", file, "--delay", "1h")["payload"], {"big": True})
        self.assertEqual(self.add("--payload-file", "-", "--delay", "1h", stdin='{"in": 1}')["payload"], {"in": 1})
        for option in ("--payload-file", "--body-file"):
            for file in ("/no", "/tmp"):
                self.assertIn(f"{option}: cannot read {file}", self.refused("task", "add", "--queue", "q", option, file))

    def test_a_queues_endpoint_is_target_enough(self):
        queue = f"aimed-{type(self).__name__}"
        self.api.request("PUT", "/v1/endpoints/aimed", {"url": self.receiver.url("/aimed")})
        self.api.request("PUT", f"/v1/queues/{queue}", {"endpoint": "aimed"})
        made = self.postern("task", "add", "--queue", queue, "--delay", "1h", schema="Task")
        self.assertEqual(made["endpoint"], "aimed")

    def test_an_idempotency_key_makes_it_once(self):
        key = ["--idempotency-key", type(self).__name__, "--delay", "1h"]
        first = self.add(*key)
        self.assertEqual(self.add(*key)["id"], first["id"])
        self.add(*key, "--priority", "2", code=1)

    def test_lists_are_filtered_and_go_over_pages(self):
        queue = f"many-{type(self).__name__}"
        batch = {"queue": queue, "webhook_url": "http://a.test/", "delay": 3600, "tags": ["t"]}
        self.assertEqual(self.api.post("/v1/tasks/batch", {"tasks": [batch] * 130}).status, 200)
        every = self.postern("task", "list", "--queue", queue, "--limit", "1000", schema=["Task"])
        self.assertEqual(len({task["id"] for task in every}), 130)
        some = self.postern("task", "list", "--queue", queue, "--limit", "120", "--tag", "t", "--since", "1h",
                            "--status", "pending")
        self.assertEqual(some, every[:120])
        self.assertEqual(self.postern("task", "list", "--queue", queue, "--until", "1h"), [])
        self.assertEqual(self.postern("task", "list", "--queue", queue, "--endpoint", "mail"), [])
        lines = self.shown("task", "list", "--queue", queue, "--limit", "3", "--ndjson")
        self.assertEqual([json.loads(line) for line in lines], every[:3])
        self.assertEqual(self.shown("task", "list", "--queue", queue, "--limit", "3")[-1],
                         "3 of 130; --limit shows more")

    def test_many_are_cancelled_and_retried_by_filter(self):
        queue = f"bulk-{type(self).__name__}"
        self.waiting(5, queue)
        by_queue = ["--queue", queue]
        self.assertEqual(self.postern("task", "cancel", *by_queue, "--dry-run", schema="BulkCount"),
                         {"count": 5, "dry_run": True})
        self.assertEqual(self.shown("task", "cancel", *by_queue, "--dry-run"), ["5 tasks would be cancelled"])
        self.assertEqual(self.shown("task", "cancel", *by_queue, "--since", "1h"), ["5 tasks cancelled"])
        self.assertEqual(self.postern("task", "retry", *by_queue, "--dry-run")["count"], 0)
        self.assertEqual(self.postern("task", "retry", *by_queue, "--status", "cancelled", schema="BulkCount"),
                         {"count": 5})
        for wrong in (["cancel"], ["cancel", NO_SUCH, "--queue", queue], ["cancel", NO_SUCH, "--dry-run"],
                      ["cancel", "--status", "failed"], ["retry", "--status", "pending"]):
            self.refused("task", *wrong)

    def test_one_is_shown_with_its_payload_and_attempts(self):
        self.receiver.on("/shown", 503, 200)
        task = self.finished(self.create(webhook_url=self.receiver.url("/shown"), headers={"X-Mine": "yes"},
                                         payload={"to": "a\x1b[31m"}, retry_policy={"intervals": [1]}))
        lines = self.shown("task", "get", task["id"])
        self.assertIn("  X-Mine: yes", lines)
        self.assertIn("attempts:", lines)
        self.assertTrue(any(line.startswith("  1. failed, 503, ") for line in lines), lines)
        self.assertTrue(any(line.startswith("  2. success, 200, ") for line in lines), lines)
        self.assertNotIn("\x1b", "".join(lines))
        self.assertTrue(any(line.startswith("created_at: ") and line.endswith(" UTC") for line in lines))

    def test_one_that_waits_is_changed_and_run(self):
        [id] = self.waiting()
        changed = self.postern("task", "change", id, "--priority", "9", "--payload", '{"new": 1}', schema="Task")
        self.assertEqual((changed["priority"], changed["payload"]), (9, {"new": 1}))
        self.refused("task", "change", id)
        self.postern("task", "run", id, schema="Task")
        *_, last = self.shown("task", "watch", id)
        self.assertIn("completed", last)
        self.refused("task", "run", id, code=1)

    def test_watch_ends_with_the_task(self):
        self.receiver.on("/broken", 500)
        task = self.create(webhook_url=self.receiver.url("/broken"), max_retries=0)
        *_, last = self.shown("task", "watch", task["id"], code=1)
        self.assertIn("failed", last)

    def test_errors_name_the_option(self):
        add = ["add", "--queue", "q"]
        for arguments, said in (
                ([*add[:2], "a b", "--webhook-url", "http://a.test/"], "queue"),
                ([*add[:2], "aq_test", "--webhook-url", "http://a.test/"], "aq_test"),
                ([*add, "--webhook-url", "ftp://a.test/"], "--webhook-url"),
                ([*add, "--webhook-url", "http://a.test/", "--payload", "[]"], "--payload"),
                ([*add, "--webhook-url", "http://a.test/", "--payload", "{"], "--payload"),
                ([*add, "--webhook-url", "http://a.test/", "--delay", "soon"], "--delay"),
                ([*add, "--webhook-url", "http://a.test/", "--priority", "11"], "--priority must be 1 to 10"),
                ([*add, "--webhook-url", "http://a.test/", "--header", "nocolon"], "--header"),
                ([*add, "--webhook-url", "http://a.test/", "--retry-policy", "odd"], "--retry-policy"),
                ([*add], "--webhook-url"),
                (["list", "--status", "odd"], "--status must be"),
                (["list", "--limit", "0"], "--limit"), (["list", "--since", "yesterday"], "--since")):
            with self.subTest(said):
                self.assertIn(said, self.refused("task", *arguments))
        self.assertIn("--endpoint", self.refused("task", *add, "--endpoint", "nosuch", code=1))
        self.assertIn("nonsense", self.refused("task", "get", "nonsense", code=1))


class OnTheHost(Tasks, Commanding):
    pass


class FromElsewhere(Tasks, OverHttp):
    pass


if __name__ == "__main__":
    unittest.main()
