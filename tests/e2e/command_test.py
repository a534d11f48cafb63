"""The whole engine paused and resumed by the operator's command, and tasks at the command line."""

import json
import subprocess
import unittest

from harness import BIN, StackTest


class Command(StackTest):
    def postern(self, *arguments, code=0, database=None):
        done = subprocess.run([BIN / "postern", "--json", "--database", database or self.stack.postgres.url(),
                               *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if done.stdout else done.stderr

    def shown(self, *arguments):
        """What people see: the lines of a table or record."""
        done = subprocess.run([BIN / "postern", "--database", self.stack.postgres.url(), *arguments],
                              capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    def assert_as_the_api(self, path, shown, apart=()):
        """The command and the API describe the object by the same fields."""
        told = self.api.get(path).json
        self.assertEqual({name: value for name, value in shown.items() if name not in apart},
                         {name: value for name, value in told.items() if name not in apart})

    def test_a_paused_engine_takes_tasks_in_and_delivers_none(self):
        self.another_scheduler("second")
        before = self.create()
        self.finished(before)
        self.postern("pause", "--all")
        self.addCleanup(self.postern, "resume", "--all")
        waiting = [self.create(webhook_url=self.receiver.url("/paused")) for _ in range(20)]
        # Several ticks of both schedulers pass without a call.
        ticks = self.ticks()
        self.wait_until(lambda: self.ticks() > ticks + 2, 20, "both schedulers have beaten again")
        self.assertEqual(self.receiver.at("/paused"), [])
        self.postern("resume", "--all")
        for task in waiting:
            self.assertEqual(self.finished(task)["attempt_count"], 1)

    def ticks(self):
        return int(self.stack.postgres.psql(
            "SELECT min(beat) FROM postern.instance WHERE program = 'postern-scheduler'"))

    def test_the_doctor_names_what_a_schedulers_session_lacks(self):
        def session(**options):
            return next(row for row in self.postern("doctor", **options) if row["check"] == "session")
        self.assertEqual(session()["verdict"], "ok")
        wrong = session(code=1, database=self.stack.postgres.url() + "&options=-c%20enable_sort%3Don")
        self.assertEqual((wrong["verdict"], wrong["finding"]), ("WRONG", "enable_sort is on"))

    def test_a_task_is_made_shown_and_stopped(self):
        made = self.postern("task", "add", "--queue", "cli", "--url", self.receiver.url("/cli"),
                            "--payload", '{"n": 1}', "--delay", "1h", "--priority", "8")
        shown = self.postern("task", "get", made["id"])
        self.assertEqual((shown["queue"], shown["status"], shown["priority"]), ("cli", "pending", 8))
        self.assertEqual(self.api.get(f"/v1/tasks/{made['id']}").json["payload"], {"n": 1})
        self.assert_as_the_api(f"/v1/tasks/{made['id']}", shown, apart=["uuid"])
        self.assertIn("timeout: 30 s", self.shown("task", "get", made["id"]))
        listed = self.postern("task", "list", "--queue", "cli")
        self.assertEqual([task["id"] for task in listed], [made["id"]])
        heading, row = self.shown("task", "list", "--queue", "cli")
        self.assertEqual(heading.split(), ["id", "queue", "status", "reason", "attempt_count", "created_at",
                                           "next_attempt_at", "endpoint", "webhook_url"])
        self.assertIn("pending", row)
        self.assertEqual(self.postern("task", "cancel", made["id"]), [{"id": made["id"], "result": "cancelled"}])
        self.assertEqual(self.postern("task", "cancel", made["id"], code=1)[0]["result"],
                         "left alone: it is cancelled")
        self.postern("task", "retry", made["id"])
        self.receiver.wait_for(lambda requests: any(r.path == "/cli" for r in requests))

    def test_queues_are_made_changed_paused_and_deleted(self):
        made = self.postern("queue", "add", "ops", "--max-concurrent", "3", "--rate", "50", "--max-age", "1h")
        rate = {"count": 50, "period_seconds": 1}
        self.assertEqual((made["max_concurrent"], made["rate_limit"]), (3, rate))
        self.assert_as_the_api("/v1/queues/ops", made, apart=["time"])
        self.assertIn("max_age: 3600 s", self.shown("queue", "get", "ops"))
        self.assertEqual(self.api.get("/v1/queues/ops").json["max_concurrent"], 3)
        changed = self.postern("queue", "set", "ops", "--max-concurrent", "0", "--max-retries", "7")
        self.assertEqual((changed["max_concurrent"], changed["rate_limit"]), (-1, rate))
        self.assertEqual(self.postern("queue", "pause", "ops")["paused"], True)
        self.create(queue="ops")
        [ops] = [queue for queue in self.postern("queue", "list") if queue["name"] == "ops"]
        self.assertEqual(ops["depth"]["total"], 1)
        heading, *rows = self.shown("queue", "list")
        self.assertEqual(heading.split(), ["name", "paused", "depth.total", "totals.completed", "totals.failed",
                                           "max_concurrent", "rate_limit"])
        self.assertIn(["ops", "yes", "1", "0", "0", "no", "limit", '{"count":50,"period_seconds":1}'],
                      [row.split() for row in rows])
        self.postern("queue", "delete", "ops", code=1)
        self.assertEqual(self.postern("queue", "purge", "ops")["tasks"], "1")
        self.assertEqual(self.postern("queue", "resume", "ops")["paused"], False)
        self.postern("queue", "delete", "ops", "--force")
        self.assertNotIn("ops", [queue["name"] for queue in self.postern("queue", "list")])

    def test_a_queue_has_the_limits_that_are_said_and_no_other(self):
        for name, more, limits in (("bare", [], (-1, 0)), ("one", ["--max-concurrent", "3"], (3, 0)),
                                   ("other", ["--max-runtime", "1m"], (-1, 60_000_000_000))):
            self.addCleanup(self.postern, "queue", "delete", name)
            made = self.postern("queue", "add", name, *more)
            self.assertEqual((made["max_concurrent"], made["max_runtime"]), limits, name)
            self.assert_as_the_api(f"/v1/queues/{name}", made, apart=["time"])
        self.assertIn("max_concurrent: no limit", self.shown("queue", "get", "bare"))

    def test_endpoints_are_made_changed_rotated_and_deleted(self):
        self.postern("endpoint", "add", "mail", "--url", self.receiver.url("/mail"), "--max-in-flight", "2")
        self.create(endpoint="mail", webhook_url=None)
        self.receiver.wait_for(lambda requests: any(r.path == "/mail" for r in requests))
        made = self.postern("endpoint", "get", "mail")
        self.assertEqual(made["max_in_flight"], 2)
        self.assert_as_the_api("/v1/endpoints/mail", made, apart=["health"])
        self.assertEqual(set(made["health"]), set(self.api.get("/v1/endpoints/mail").json["health"]))
        self.assertNotIn("max_in_flight", self.postern("endpoint", "set", "mail", "--max-in-flight", "0"))
        self.assertEqual(self.postern("endpoint", "pause", "mail")["paused"], True)
        self.assertTrue(self.postern("endpoint", "rotate", "mail")["secret"].startswith("whsec_"))
        self.postern("endpoint", "rotate", "mail", code=1)
        self.assertEqual([one["name"] for one in self.postern("endpoint", "list")], ["mail"])
        self.assertEqual(self.shown("endpoint", "list")[0].split(), ["name", "paused", "method", "url"])
        self.postern("endpoint", "delete", "mail")
        self.postern("endpoint", "get", "mail", code=1)

    def test_schedules_are_made_shown_and_paused(self):
        times = self.postern("schedule", "next", "--cron", "0 8 * * *", "--timezone", "Europe/Berlin", "--count", "3")
        self.assertEqual(len(times["next"]), 3)
        self.postern("schedule", "add", "soon", "--every", "1s", "--queue", "cron", "--url", self.receiver.url("/cron"))
        self.receiver.wait_for(lambda requests: sum(r.path == "/cron" for r in requests) >= 2, 20)
        self.assertEqual(self.postern("schedule", "pause", "soon")["paused"], True)
        self.assert_as_the_api("/v1/schedules/soon", self.postern("schedule", "get", "soon"))
        runs = self.postern("schedule", "runs", "soon", "--count", "100")
        self.assertGreaterEqual(len([run for run in runs if "task_id" in run]), 2)
        self.assertEqual(self.shown("schedule", "runs", "soon")[0].split(),
                         ["nominal_time", "fired_at", "task_id", "skipped"])
        self.assertEqual(self.shown("schedule", "list")[0].split(),
                         ["name", "paused", "schedule", "timezone", "next_at", "queue", "endpoint", "webhook_url"])
        self.assertEqual(self.postern("schedule", "resume", "soon")["paused"], False)
        self.assertEqual([one["name"] for one in self.postern("schedule", "list")], ["soon"])
        self.postern("schedule", "delete", "soon")

    def test_errors_name_the_wrong_argument(self):
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
