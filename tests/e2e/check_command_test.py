#!/usr/bin/python3
"""`postern check`, a Nagios plugin: exit codes, and one line with performance data, by the database and by --url."""

import json
import re
import signal
import subprocess
import unittest

from harness import BIN, Answer, StackTest

OK, WARNING, CRITICAL, UNKNOWN = range(4)
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
# 'label'=value[UOM];[warn];[crit];[min];[max], as the plugins' guidelines have it.
PERFORMANCE = re.compile(r"[a-z_]+=-?[0-9.]+(s|%|c)?(;[0-9.:]*){0,4}")


class Check(StackTest):
    def check(self, code, *arguments, database=None):
        """Runs the plugin; what it says for people, and its performance data."""
        done = subprocess.run([BIN / "postern", "--database", database or self.stack.postgres.url(), "check",
                               *arguments], capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (code, ""), done.stdout)
        line, = done.stdout.splitlines()
        self.assertTrue(line.startswith(f"POSTERN {WORDS[code]} - "), line)
        said, _, data = line.partition(" | ")
        for each in data.split():
            self.assertRegex(each, rf"^{PERFORMANCE.pattern}$")
        return said, dict(each.split("=") for each in data.split())

    def doctor(self):
        done = subprocess.run([BIN / "postern", "--database", self.stack.postgres.url(), "--json", "doctor"],
                              capture_output=True, text=True, timeout=30)
        return {row["check"]: row for row in json.loads(done.stdout)}

    def both(self, code, *arguments):
        """By the database, and by --url with the text of /metrics."""
        found = self.check(code, *arguments), self.check(code, "--url", self.stack.url, *arguments)
        self.assertEqual(found[0][1].keys() - {"failed_percent"}, found[1][1].keys())
        return found

    def test_all_is_well(self):
        self.finished(self.create())
        for said, data in self.both(OK):
            self.assertIn("1 scheduler up", said)
            self.assertEqual(data["schedulers"], "1;;1:;0")
            self.assertEqual(data["breakers"], "0;0;;0")
            self.assertGreaterEqual(int(data["finished"].rstrip("c")), 1)

    def test_a_scheduler_that_was_killed_and_runs_again(self):
        """Its old row stays for a while: of one name, one is enough, however it is asked."""
        sql = self.stack.postgres.psql
        sql("INSERT INTO postern.instance (id, program, name, version, beat_at) SELECT gen_random_uuid(), program, name, "
            "version, now() - interval '5 minutes' FROM postern.instance WHERE program = 'postern-scheduler'")
        self.addCleanup(sql, "DELETE FROM postern.instance WHERE beat_at < now() - interval '2 minutes'")
        for said, data in self.both(OK):
            self.assertIn("1 scheduler up", said)
            self.assertEqual((data["schedulers"], data["silent"]), ("1;;1:;0", "0;0;;0"))
        self.assertEqual(self.doctor()["scheduler"]["finding"], "1 up")

    def test_no_scheduler(self):
        self.addCleanup(self.stack._start_scheduler)
        self.stack.programs["scheduler"].stop(signal.SIGTERM, timeout=40)
        for said, data in self.both(CRITICAL):
            self.assertIn("0 schedulers up", said)

    def test_too_few_schedulers(self):
        for said, _ in self.both(CRITICAL, "--schedulers", "2"):
            self.assertTrue(said.startswith("POSTERN CRITICAL - 1 scheduler up"), said)

    def test_a_paused_engine_and_what_is_due(self):
        sql = self.stack.postgres.psql
        subprocess.run([BIN / "postern", "--database", self.stack.postgres.url(), "pause", "--all"], check=True,
                       capture_output=True)
        self.addCleanup(subprocess.run, [BIN / "postern", "--database", self.stack.postgres.url(), "resume", "--all"],
                        check=True, capture_output=True)
        said, data = self.check(WARNING)
        self.assertIn("the whole engine is paused", said)
        self.assertEqual(data["paused"], "1;0;;0;1")
        self.create(queue="overdue")
        self.wait_until(lambda: sql("SELECT 1 FROM postern.queue_gauge WHERE queue = 'overdue' AND ready > 0 "
                                    "AND oldest_due < now() - interval '2 s'"), what="a scheduler has counted")
        for said, data in self.both(CRITICAL, "--warning", "0", "--critical", "1s"):
            self.assertRegex(said, r"oldest due \d+ s in default/overdue")
            self.assertRegex(data["oldest_due"], r"^[1-9]\d*s;0;1;0$")
        for said, _ in self.both(WARNING, "--warning", "1s", "--critical", "1h"):
            self.assertIn("oldest due", said)

    def test_tasks_that_fail(self):
        self.receiver.on("/gone", 410)
        for task in [self.create(queue="failing", webhook_url=self.receiver.url("/gone")) for _ in range(10)]:
            self.assertEqual(self.finished(task)["status"], "failed")
        said, data = self.check(CRITICAL, "--failed-warning", "1", "--failed-critical", "2")
        self.assertRegex(said, r"CRITICAL - \d+ of \d+ tasks failed in 15 min")
        self.assertRegex(data["failed_percent"], r"^\d+\.\d%;1;2;0;100$")
        self.check(WARNING, "--failed-warning", "1", "--failed-critical", "101")
        self.check(OK, "--failed-warning", "101", "--failed-critical", "101")
        self.assertEqual(self.doctor()["failures"]["verdict"], "warning")
        # What ended long ago says nothing.
        self.stack.postgres.psql("UPDATE postern.task_finished SET finished_at = finished_at - interval '16 minutes'")
        self.check(OK, "--failed-warning", "1", "--failed-critical", "2")
        self.assertEqual(self.doctor()["failures"]["verdict"], "ok")

    def test_a_scheduler_fell_silent(self):
        sql = self.stack.postgres.psql
        dead = self.another_scheduler("dead")
        self.wait_until(lambda: sql("SELECT 1 FROM postern.instance WHERE name = 'dead'"), what="it beats")
        dead.stop(signal.SIGKILL)  # it says no goodbye
        sql("UPDATE postern.instance SET beat_at = now() - interval '2 minutes' WHERE name = 'dead'")
        self.addCleanup(sql, "DELETE FROM postern.instance WHERE name = 'dead'")
        for said, data in self.both(WARNING):
            self.assertTrue(said.startswith("POSTERN WARNING - 1 fell silent"), said)
            self.assertEqual(data["silent"], "1;0;;0")

    def test_what_metrics_say(self):
        """Of breakers, a pause, and names with characters that a plugin's line must not have."""
        text = ('postern_build_info{version="1"} 1\npostern_scheduler_up{name="a"} 1\n'
                'postern_queue_oldest_due_seconds{tenant="t",queue="a|b\\"c"} 400\n'
                'postern_queue_oldest_due_seconds{tenant="t",queue="d"} 4\n'
                'postern_queue_depth{tenant="t",queue="d",state="ready"} 5\n'
                'postern_queue_depth{tenant="t",queue="d",state="delayed"} 7\n'
                'postern_lane_breaker_state{tenant="t",queue="d",target="x",state="open"} 1\n'
                'postern_lane_breaker_state{tenant="t",queue="d",target="y",state="throttled"} 1\n'
                'postern_tasks_finished_total{tenant="t",queue="d",status="failed"} 3\n'
                'postern_tasks_finished_total{tenant="t",queue="d",status="completed"} 30\n'
                'postern_engine_paused 1\n')
        self.receiver.on("/v1/metrics", Answer(body=text.encode()))
        said, data = self.check(WARNING, "--url", self.receiver.url())
        for part in ("oldest due 7 min in t/a b\"c", "1 breaker open", "paused"):
            self.assertIn(part, said)
        self.assertEqual((data["ready"], data["breakers"], data["failed"], data["finished"], data["paused"]),
                         ("5;;;0", "1;0;;0", "3c", "33c", "1;0;;0;1"))

    def test_what_cannot_be_looked_at(self):
        said, _ = self.check(CRITICAL, database="host=/nowhere dbname=postern")
        self.assertIn("cannot connect to the database", said)
        said, _ = self.check(UNKNOWN, "--warning", "soon")
        self.assertIn('--warning: "soon" is not a duration', said)
        said, _ = self.check(CRITICAL, database=self.stack.postgres.url("postern_nobody"))
        self.assertIn("postern_nobody", said)
        for status, code, word in ((403, UNKNOWN, "monitors.conf"), (502, CRITICAL, "502"), (404, UNKNOWN, "/v1"),
                                   (200, UNKNOWN, "without Postern's numbers")):
            for path in ("/v1/metrics", "/metrics"):
                self.receiver.on(path, Answer(status, body=b"<html>"))
            said, _ = self.check(code, "--url", self.receiver.url())
            self.assertIn(word, said)
        said, _ = self.check(CRITICAL, "--url", "http://127.0.0.1:1")
        self.assertIn("does not answer", said)


if __name__ == "__main__":
    unittest.main()
