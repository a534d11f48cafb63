#!/usr/bin/python3
"""A duty of the scheduler that waits in the database: claims, results and the heartbeat go on."""

import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import StackTest  # noqa: E402

# The sessions of the scheduler that wait for a lock, and since when.
WAITING = """SELECT pid, query_start FROM pg_stat_activity
              WHERE application_name = 'postern-scheduler' AND wait_event_type = 'Lock'"""
BEAT = "SELECT beat FROM postern.instance WHERE program = 'postern-scheduler'"


class DutyBlocked(StackTest):
    def lock(self, table):
        """A session that holds the table until it is told to end."""
        postgres = self.stack.postgres
        session = subprocess.Popen([postgres.bin / "psql", "-XAtq", postgres.url()], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(session.wait)
        self.addCleanup(session.stdout.close)
        self.addCleanup(session.stdin.close)
        session.stdin.write(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n")
        session.stdin.flush()
        self.assertEqual(session.stdout.readline(), "locked\n")
        return session

    def test_claims_and_heartbeats_go_on(self):
        self.finished(self.create())
        # No claim, no result and no heartbeat reads this table. The duty `promote` does,
        # and waits for it until its lock_timeout is over.
        session = self.lock("postern.schedule")
        self.wait_until(lambda: self.stack.postgres.psql(WAITING), 30, "a duty waits")
        beats, rounds = int(self.stack.postgres.psql(BEAT)), 0
        # The heart beats every 5 s. Until it has done so twice a duty waits nearly all of the time, and
        # tasks that are made meanwhile are over while it does: on a busy machine some of them.
        limit = time.monotonic() + 60
        while rounds < 3 or int(self.stack.postgres.psql(BEAT)) < beats + 2:
            self.assertLess(time.monotonic(), limit, f"{rounds} tasks were over while a duty waited")
            waits = self.wait_until(lambda: self.stack.postgres.psql(WAITING), 30, "a duty waits again")
            self.assertEqual(self.finished(self.create())["status"], "completed")
            rounds += self.stack.postgres.psql(WAITING) == waits

        session.stdin.write("COMMIT;\n")
        session.stdin.close()
        session.wait()
        self.assertEqual(self.finished(self.create(delay=1))["status"], "completed")


if __name__ == "__main__":
    unittest.main()
