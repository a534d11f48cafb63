#!/usr/bin/python3
"""What the operator's command prints for people: widths, times, colours, questions, the live view."""

import os
import pty
import unittest

from commanding import Commanding
from harness import BIN


class Output(Commanding):
    def tasks(self):
        self.postern("queue", "add", "a-queue-with-quite-a-long-name")
        self.addCleanup(self.postern, "queue", "delete", "a-queue-with-quite-a-long-name", "--force")
        for target in ("short", "long" * 30):
            self.create(queue="a-queue-with-quite-a-long-name", delay=3600, webhook_url=self.receiver.url(f"/{target}"))

    def test_tables_fit_80_columns_unless_wide(self):
        self.tasks()
        for command in (["task", "list"], ["queue", "list"], ["stats"], ["top"], ["policy", "list"]):
            with self.subTest(command):
                lines = self.shown(*command)
                self.assertLessEqual(max(map(len, lines)), 80, lines)
        self.assertIn("…", "".join(self.shown("task", "list")))
        wide = self.shown("--wide", "task", "list", "--queue", "a-queue-with-quite-a-long-name")
        self.assertIn("long" * 30, wide[1])
        self.assertIn("a-queue-with-quite-a-long-name", wide[1])

    def test_times_are_local_with_their_zone(self):
        self.postern("queue", "add", "timed")
        self.addCleanup(self.postern, "queue", "delete", "timed")
        summer = self.shown("schedule", "next", "--cron", "0 12 1 7 *", "--count", "1",
                            env={"TZ": "Europe/Berlin"})
        self.assertRegex(summer[0], r"^\d{4}-07-01 14:00:00 CEST$")
        self.assertTrue(any(line.startswith("created_at: ") and line.endswith(" UTC")
                            for line in self.shown("queue", "get", "timed")))

    def test_nothing_in_a_value_steers_a_terminal(self):
        task = self.create(delay=3600, payload={"a": "\x1b[2J\u202e", "b": "\x9b31m"},
                           retry_policy="none", webhook_url=self.receiver.url("/%1b[31m"))
        for output in (self.shown("task", "get", task["id"]), self.shown("--wide", "task", "list")):
            for control in ("\x1b", "\x9b", "\u202e"):
                self.assertNotIn(control, "".join(output))

    def at_a_terminal(self, *arguments, typed="", env=None):
        """What the command writes to a terminal of 100 columns, and its exit code."""
        pid, terminal = pty.fork()
        if pid == 0:
            where, _ = self.where()
            variables = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "POSTERN_URL")}
            os.execve(BIN / "postern", ["postern", *where, *arguments], {**variables, "TERM": "xterm", **(env or {})})
        os.write(terminal, typed.encode())
        said = b""
        try:
            while part := os.read(terminal, 65536):
                said += part
        except OSError:
            pass  # the other end has gone
        os.close(terminal)
        return said.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_colours_are_for_terminals_and_not_with_no_color(self):
        self.receiver.on("/hook", 500)
        self.finished(self.create(queue="coloured", max_retries=0))
        arguments = ["task", "list", "--queue", "coloured"]
        self.assertIn("\x1b[31mfailed", self.at_a_terminal(*arguments)[0])
        self.assertNotIn("\x1b", self.at_a_terminal(*arguments, env={"NO_COLOR": "1"})[0])
        self.assertNotIn("\x1b", "".join(self.shown(*arguments)))

    def test_many_are_asked_about_at_a_terminal_alone(self):
        for _ in range(3):
            self.create(queue="asked", delay=3600)
        cancel = ["task", "cancel", "--queue", "asked"]
        said, code = self.at_a_terminal(*cancel, typed="n\n")
        self.assertIn("3 tasks will be cancelled. Go on? [y/N]", said)
        self.assertEqual((code, self.postern(*cancel, "--dry-run")["count"]), (1, 3))
        said, code = self.at_a_terminal("queue", "purge", "asked", typed="\n")
        self.assertIn("3 tasks of the queue asked will be cancelled.", said)
        self.assertEqual((code, self.postern(*cancel, "--dry-run")["count"]), (1, 3))
        said, code = self.at_a_terminal(*cancel, typed="y\n")
        self.assertEqual((code, self.postern(*cancel, "--dry-run")["count"]), (0, 0), said)
        self.create(queue="asked", delay=3600)
        said, code = self.at_a_terminal("--yes", *cancel)
        self.assertEqual((code, "Go on" in said), (0, False))

    def test_top_is_drawn_until_q(self):
        self.create(queue="on-top")
        said, code = self.at_a_terminal("top", typed="q")
        self.assertEqual(code, 0)
        self.assertIn("\x1b[?1049h", said)
        self.assertIn("in flight", said)
        self.assertTrue(said.rstrip().endswith("\x1b[?1049l"))


if __name__ == "__main__":
    unittest.main()
