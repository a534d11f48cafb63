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

    def test_what_is_wrong_is_named(self):
        for arguments, said in (
                (["task", "add", "--queue", "a b", "--url", "http://a.test/"], "queue"),
                (["task", "add", "--queue", "q", "--url", "ftp://a.test/"], "--url"),
                (["task", "add", "--queue", "q", "--url", "http://a.test/", "--payload", "[]"], "--payload"),
                (["task", "add", "--queue", "q", "--url", "http://a.test/", "--delay", "soon"], "soon"),
                (["task", "get", "nonsense"], "nonsense"),
                (["task", "list", "--status", "odd"], "--status")):
            with self.subTest(said):
                self.assertIn(said, self.postern(*arguments, code=1)["error"])


if __name__ == "__main__":
    unittest.main()
