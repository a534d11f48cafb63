#!/usr/bin/python3
"""A standby takes over: the programs follow it, and use the former primary no more, until an operator says so."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import BIN, StackTest, wait_until  # noqa: E402
from postgres import Standby  # noqa: E402
from stack import Stack  # noqa: E402


class PairOfServers(Stack):
    """A stack whose programs know two servers, the first of which is the primary."""

    standby = None

    def start(self):
        if self.standby is None:
            self.standby = Standby(self.postgres, self.dir / "pg2", self.run / "standby.pid",
                                   self.log / "standby.log")
            (self.dir / "state").mkdir(parents=True)
        super().start()
        self.standby.start()

    def kill(self):
        super().kill()
        self.standby.stop(signal.SIGQUIT)

    def _environment(self, role):
        return {**super()._environment(role),
                "POSTERN_DATABASE": f"host={self.postgres.folder},{self.standby.folder} port=5432 "
                                    f"dbname=postern user={role}",
                "POSTERN_STATE_DIR": str(self.dir / "state")}


class FormerPrimary(StackTest):
    stack_type = PairOfServers

    def said(self, log, text):
        return text in (self.stack.log / log).read_text(errors="replace")

    def post(self):
        return self.api.post("/v1/tasks", {"queue": "q", "webhook_url": self.receiver.url("/hook"), "payload": {"n": 1}})

    def accept(self, *arguments):
        return subprocess.run([BIN / "postern", "cell", "accept", *arguments], capture_output=True, text=True,
                              env=self.stack._environment("postgres"))

    def tasks(self, server):
        return int(server.psql("SELECT count(*) FROM postern.task_all"))

    def creates_within(self, seconds):
        began = time.monotonic()
        wait_until(lambda: self.post().status == 201, seconds, "a create")
        return time.monotonic() - began

    def delivers(self):
        before = len(self.receiver.requests)
        self.create()
        self.receiver.wait_for(lambda requests: len(requests) > before)

    def test_is_not_used_any_more(self):
        first, second = self.stack.postgres, self.stack.standby
        state = self.stack.dir / "state/primary"
        self.delivers()
        self.assertIn("timeline 1\n", state.read_text())

        # A replica is promoted while the primary goes on: only who looks around notices.
        wait_until(lambda: self.tasks(second) == self.tasks(first), what="the standby has all")
        second.promote()
        wait_until(lambda: "timeline 2\n" in state.read_text(), 30, "somebody saw the new primary")
        for log in ("fcgi.log", "scheduler.log"):
            wait_until(lambda log=log: self.said(log, "primary what=changed"), 30, log)
        print(f"creates go on after {self.creates_within(20):.2f} s")
        self.delivers()
        self.assertGreater(self.tasks(second), self.tasks(first))

        # The new one fails. The former one is there, takes writes, and is refused, by programs that are new, too.
        before = self.tasks(first)
        second.stop(signal.SIGQUIT)
        wait_until(lambda: self.said("scheduler.log", "primary what=refused"))
        self.assertEqual(self.post().status, 503)
        for name in ("scheduler", "socket", "fcgi"):
            self.stack.programs[name].stop(signal.SIGKILL)
        def refused():
            return (self.stack.log / "fcgi.log").read_text().count("primary what=refused")

        before_them = refused()
        self.stack._start_handlers()
        self.stack._spawn_scheduler()
        wait_until(lambda: self.post().status == 503 and refused() > before_them, what="the new handlers refuse it")
        self.assertEqual(self.tasks(first), before)

        # Until somebody says that it is the one.
        doctor = subprocess.run([BIN / "postern", "doctor"], capture_output=True, text=True,
                                env=self.stack._environment("postgres")).stdout
        self.assertRegex(doctor, r"primary +WRONG +.*timeline 1.*timeline 2")
        made = subprocess.run([BIN / "postern", "key", "create", "--name", "lost", "--role", "read"], text=True,
                              capture_output=True, env=self.stack._environment("postgres"))
        self.assertEqual(made.returncode, 1)
        self.assertIn("a former primary", made.stderr)
        done = self.accept()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("accepted", done.stdout)
        print(f"creates go on {self.creates_within(20):.2f} s after it was accepted")
        self.delivers()
        again = self.accept("--json")
        self.assertEqual((again.returncode, again.stdout.count('"the same"')), (0, 1), again.stdout)

    def test_says_who_may_accept(self):
        if os.geteuid() != 0:
            self.skipTest("acts as another user")
        os.chmod(self.stack.dir, 0o755)
        done = subprocess.run([BIN / "postern", "cell", "accept", "--state-dir", "/nowhere"],
                              capture_output=True, text=True, env=self.stack._environment("postgres"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no program keeps anything in /nowhere", done.stderr)


class FrozenPrimary(FormerPrimary):
    settings = {"POSTERN_RESCUE_AFTER": "59s"}  # a stack of its own

    def test_is_not_used_any_more(self):
        """Its connections stay, and its kernel acknowledges what is sent: only a new connection tells."""
        first, second = self.stack.postgres, self.stack.standby
        self.delivers()
        wait_until(lambda: self.tasks(second) == self.tasks(first), what="the standby has all")
        first.signal_all(signal.SIGSTOP)
        self.addCleanup(first.signal_all, signal.SIGCONT)
        began = time.monotonic()
        self.assertEqual(self.post().status, 503)
        wait_until(lambda: self.said("fcgi.log", "database away"))
        print(f"noticed after {time.monotonic() - began:.1f} s")
        second.promote()
        print(f"creates go on after {self.creates_within(20):.2f} s")
        self.delivers()
        first.signal_all(signal.SIGCONT)
        before, created = self.tasks(first), self.tasks(second)
        for _ in range(5):
            self.assertEqual(self.post().status, 201)
        self.assertEqual((self.tasks(first), self.tasks(second)), (before, created + 5))

    test_says_who_may_accept = None


if __name__ == "__main__":
    unittest.main()
