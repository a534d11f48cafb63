#!/usr/bin/python3
"""kill -9 of the handlers and an immediate stop of PostgreSQL while tasks are created: every 201 has its task."""

import os
import signal
import unittest

from load import Load
from harness import StackTest, uuid_of


class IntakeKilled(StackTest):
    def setUp(self):
        super().setUp()
        self.load = Load(self.stack, clients=6, keyed=3)
        self.addCleanup(self.load.stop)

    def more(self, status, count, timeout=20):
        """Waits until `count` more answers have this status."""
        goal = self.load.count(status) + count
        self.wait_until(lambda: self.load.count(status) >= goal, timeout,
                        f"{count} more answers {status}")

    def check(self):
        """Checks that all answers are 201 or well-formed 5xx, and that the tables agree with them."""
        self.more(201, 100)  # the service has recovered by itself
        self.load.stop()
        self.assertEqual(self.load.errors, [])
        self.assertEqual({creation.reply.status for creation in self.load.answers} - {200, 201, 502, 503},
                         set())
        rows = dict(line.split("|", 1) for line in self.stack.postgres.psql(
            "SELECT id, convert_from(body, 'UTF8') FROM postern.task_all "
            f"WHERE queue = '{self.load.queue}'").splitlines())
        numbers = {}
        for creation in self.load.answers:
            reply = creation.reply
            if reply.status < 300:
                task = uuid_of(reply.json["id"])
                self.assertEqual(rows.get(task), creation.payload)
                self.assertEqual(numbers.setdefault(creation.number, task), task)
            else:
                self.assertEqual(reply.json["error"]["code"], "unavailable", reply.body)
                self.assertIn("Retry-After", reply.headers)
        # There is no task that no client sent, and none twice for a key.
        sent = {creation.payload for creation in self.load.answers}
        self.assertEqual(set(rows.values()) - sent, set())
        bodies = list(rows.values())
        keyed = {creation.payload for creation in self.load.answers if creation.key}
        self.assertEqual(sorted(body for body in bodies if body in keyed), sorted(keyed))
        # A request without a key that got a 5xx may have made its task, but no task exists twice.
        self.assertEqual(len(bodies), len(set(bodies)))

    def test_handlers_killed(self):
        handler = self.stack.programs["fcgi"]
        for _ in range(8):
            self.more(201, 100)
            killed = handler.pid
            os.kill(killed, signal.SIGKILL)
            self.wait_until(lambda: handler.pid not in (None, killed))
        self.more(201, 100)
        self.check()
        self.assertGreater(self.load.count(502), 0)

    def test_postgresql_stopped_immediately(self):
        for _ in range(2):
            self.more(201, 100)
            self.stack.postgres.stop(signal.SIGQUIT)
            self.more(503, 20)
            self.stack.postgres.start()
        self.check()


if __name__ == "__main__":
    unittest.main()
