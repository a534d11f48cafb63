#!/usr/bin/python3
"""The operator's command and a former primary: what the host's programs have seen holds for whatever writes."""

import os
import pathlib
import subprocess
import unittest

from harness import BIN
from postgres import Postgres, scratch_folder

# Each writes, or would.
WRITES = [
    ("task", "add", "--webhook-url", "http://receiver.test/", "--queue", "q"),
    ("task", "cancel", "--queue", "q"),
    ("queue", "add", "jobs"),
    ("queue", "pause", "q"),
    ("endpoint", "add", "hook", "--webhook-url", "http://receiver.test/"),
    ("schedule", "add", "daily", "--cron", "0 8 * * *", "--webhook-url", "http://receiver.test/", "--queue", "q"),
    ("key", "create", "--name", "lost", "--role", "read"),
    ("key", "revoke", "--name", "one"),
    ("tenant", "create", "--name", "lost"),
    ("secret", "rotate"),
    ("pause", "--all"),
    ("resume", "--all"),
    ("migrate",),
    ("migrate", "--reapply"),
    ("migrate", "--roles"),
    ("setup", "--root", "/nowhere"),
]
READS = [("task", "list"), ("queue", "list"), ("key", "list"), ("tenant", "list"), ("secret", "show"), ("stats",)]


class CommandPrimary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = scratch_folder()
        cls.folder = pathlib.Path(scratch.name)
        cls.addClassCleanup(scratch.cleanup)
        cls.postgres = Postgres(cls.folder / "pg", cls.folder / "postgres.pid", cls.folder / "postgres.log")
        cls.postgres.start()
        cls.addClassCleanup(cls.postgres.stop, 3)
        (cls.folder / "fcgi").mkdir()
        cls.primary = cls.folder / "fcgi/primary"  # where the handlers of a host keep theirs
        cls.system = cls.postgres.psql("SELECT system_identifier FROM pg_control_system()")
        cls.postern(cls, "migrate")
        cls.postern(cls, "key", "create", "--name", "one", "--role", "read")

    def postern(self, *arguments):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
        return subprocess.run(
            [BIN / "postern", "--database", self.postgres.url(), "--state-dir", str(self.folder), *arguments],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**clean, "TZ": "UTC"})

    def seen(self, timeline, system=None):
        self.primary.write_text(f"postern primary 1\nsystem {system or self.system}\ntimeline {timeline}\naccepted 0\n")

    def contents(self):
        """All rows of all tables, and the definitions, as texts."""
        dump = [self.postgres.bin / "pg_dump", "--inserts", self.postgres.url()]
        lines = subprocess.run(dump, capture_output=True, text=True, check=True).stdout.splitlines()
        return [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))]

    def test_what_writes_refuses_a_former_primary(self):
        self.seen(5)
        before, kept = self.contents(), self.primary.read_text()
        for arguments in WRITES:
            with self.subTest(" ".join(arguments)):
                done = self.postern(*arguments)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                said = done.stdout + done.stderr
                self.assertIn("this server is on timeline 1", said)
                self.assertIn(f"the programs of this host (by {self.primary}) have seen 5", said)
                self.assertIn("a former primary, whose writes would be lost", said)
                self.assertIn("postern cell accept", said)
        self.assertEqual(self.contents(), before)
        self.assertEqual(self.primary.read_text(), kept)
        for arguments in READS:
            done = self.postern(*arguments)
            self.assertEqual(done.returncode, 0, (arguments, done.stderr))

    def test_it_is_one_again_when_it_was_accepted(self):
        self.seen(5)
        self.assertEqual(self.postern(*WRITES[0]).returncode, 1)
        done = self.postern("cell", "accept", "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        for arguments in (WRITES[0], ("queue", "add", "accepted"), ("key", "create", "--name", "two", "--role", "read"), ("migrate",)):
            done = self.postern(*arguments)
            self.assertEqual(done.returncode, 0, (arguments, done.stderr))

    def test_other_databases_and_newer_ones_are_for_who_names_them(self):
        """And are not remembered: the programs would refuse theirs, since a copy that was promoted has a higher timeline."""
        for timeline, system in ((5, "7123456789012345678"), (0, None), (1, None)):
            self.seen(timeline, system)
            kept = self.primary.read_text()
            done = self.postern(*WRITES[0])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.primary.read_text(), kept)

    def test_what_cannot_be_read_is_no_hindrance(self):
        self.primary.write_text("nonsense\n")
        self.assertEqual(self.postern(*WRITES[0]).returncode, 0)


if __name__ == "__main__":
    unittest.main()
