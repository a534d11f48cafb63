"""The whole engine paused and resumed by the operator's command, and tasks at the command line."""

import json
import subprocess
import unittest

from harness import BIN, StackTest


class Command(StackTest):
    def postern(self, *arguments, code=0):
        done = subprocess.run([BIN / "postern", "--json", "--database", self.stack.postgres.url(), *arguments],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if done.stdout else done.stderr

    def test_a_paused_engine_takes_tasks_in_and_delivers_none(self):
        self.another_scheduler("second")
        before = self.create()
        self.finished(before)
        self.postern("pause", "--all")
        self.addCleanup(self.postern, "resume", "--all")
        waiting = [self.create(webhook_url=self.receiver.url("/paused")) for _ in range(20)]
        # Several ticks of both schedulers go by without a call.
        ticks = self.ticks()
        self.wait_until(lambda: self.ticks() > ticks + 2, 20, "both schedulers have beaten again")
        self.assertEqual(self.receiver.at("/paused"), [])
        self.postern("resume", "--all")
        for task in waiting:
            self.assertEqual(self.finished(task)["attempt_count"], 1)

    def ticks(self):
        return int(self.stack.postgres.psql(
            "SELECT min(beat) FROM postern.instance WHERE program = 'postern-scheduler'"))

    def test_a_task_is_made_shown_and_stopped(self):
        made = self.postern("task", "add", "--queue", "cli", "--url", self.receiver.url("/cli"),
                            "--payload", '{"n": 1}', "--delay", "1h", "--priority", "8")
        shown = self.postern("task", "get", made["id"])
        self.assertEqual((shown["queue"], shown["state"], shown["priority"]), ("cli", "delayed", "80"))
        self.assertEqual(self.api.get(f"/v1/tasks/{made['id']}").json["payload"], {"n": 1})
        listed = self.postern("task", "list", "--queue", "cli")
        self.assertEqual([task["id"] for task in listed], [made["id"]])
        self.assertEqual(self.postern("task", "cancel", made["id"]), [{"id": made["id"], "result": "cancelled"}])
        self.assertEqual(self.postern("task", "cancel", made["id"], code=1)[0]["result"],
                         "left alone: it is cancelled")
        self.postern("task", "retry", made["id"])
        self.receiver.wait_for(lambda requests: any(r.path == "/cli" for r in requests))

    def test_queues_are_made_changed_paused_and_deleted(self):
        made = self.postern("queue", "add", "ops", "--max-concurrent", "3", "--rate", "50", "--max-age", "1h")
        self.assertEqual((made["max_concurrent"], made["rate"]), ("3", "50 per 1 s"))
        self.assertEqual(self.api.get("/v1/queues/ops").json["max_concurrent"], 3)
        changed = self.postern("queue", "set", "ops", "--max-concurrent", "0", "--max-retries", "7")
        self.assertEqual((changed["max_concurrent"], changed["rate"]), (None, "50 per 1 s"))
        self.assertEqual(self.postern("queue", "pause", "ops")["paused"], "yes")
        self.create(queue="ops")
        self.postern("queue", "delete", "ops", code=1)
        self.assertEqual(self.postern("queue", "purge", "ops")["tasks"], "1")
        self.assertEqual(self.postern("queue", "resume", "ops")["paused"], "no")
        self.postern("queue", "delete", "ops", "--force")
        self.assertNotIn("ops", [queue["name"] for queue in self.postern("queue", "list")])

    def test_endpoints_are_made_changed_rotated_and_deleted(self):
        self.postern("endpoint", "add", "mail", "--url", self.receiver.url("/mail"), "--max-in-flight", "2")
        self.create(endpoint="mail", webhook_url=None)
        self.receiver.wait_for(lambda requests: any(r.path == "/mail" for r in requests))
        self.assertEqual(self.postern("endpoint", "set", "mail", "--max-in-flight", "0")["max_in_flight"], None)
        self.assertEqual(self.postern("endpoint", "pause", "mail")["paused"], "yes")
        self.assertTrue(self.postern("endpoint", "rotate", "mail")["secret"].startswith("whsec_"))
        self.postern("endpoint", "rotate", "mail", code=1)
        self.assertEqual([one["name"] for one in self.postern("endpoint", "list")], ["mail"])
        self.postern("endpoint", "delete", "mail")
        self.postern("endpoint", "get", "mail", code=1)

    def test_schedules_are_made_shown_and_paused(self):
        times = self.postern("schedule", "next", "--cron", "0 8 * * *", "--timezone", "Europe/Berlin", "--count", "3")
        self.assertEqual(len(times), 3)
        self.postern("schedule", "add", "soon", "--every", "1s", "--queue", "cron", "--url", self.receiver.url("/cron"))
        self.receiver.wait_for(lambda requests: sum(r.path == "/cron" for r in requests) >= 2, 20)
        self.assertEqual(self.postern("schedule", "pause", "soon")["paused"], "yes")
        self.assertGreaterEqual(len([run for run in self.postern("schedule", "runs", "soon") if run["task"]]), 2)
        self.assertEqual(self.postern("schedule", "resume", "soon")["paused"], "no")
        self.assertEqual([one["name"] for one in self.postern("schedule", "list")], ["soon"])
        self.postern("schedule", "delete", "soon")

    def test_what_is_wrong_is_named(self):
        for arguments, said in (
                (["task", "add", "--queue", "a b", "--url", "http://a.test/"], "queue"),
                (["task", "add", "--queue", "q", "--url", "ftp://a.test/"], "--url"),
                (["task", "add", "--queue", "q", "--url", "http://a.test/", "--payload", "[]"], "--payload"),
                (["task", "add", "--queue", "q", "--url", "http://a.test/", "--delay", "soon"], "soon"),
                (["task", "get", "nonsense"], "nonsense"),
                (["task", "list", "--status", "odd"], "--status"),
                (["queue", "add", "a b"], "queue"),
                (["queue", "add", "aq_test"], "aq_test"),
                (["task", "add", "--queue", "aq_test", "--url", "http://a.test/"], "aq_test"),
                (["queue", "add", "q", "--max-concurrent", "-4"], "max_concurrent"),
                (["endpoint", "add", "e", "--url", "ftp://a.test/"], "url"),
                (["schedule", "add", "s", "--cron", "61 * * * *", "--queue", "q", "--url", "http://a.test/"], "minute"),
                (["schedule", "next", "--cron", "0 8 * * *", "--timezone", "Europe/Atlantis"], "Atlantis")):
            with self.subTest(said):
                self.assertIn(said, self.postern(*arguments, code=1)["error"])


if __name__ == "__main__":
    unittest.main()
