#!/usr/bin/python3
"""Rolling restarts of the handlers under load: no request fails because of a SIGTERM."""

import collections
import os
import signal
import threading
import unittest

from load import Load
from harness import Api, StackTest


class Drain(StackTest):
    def visit(self):
        """New clients, with credentials that are not in nginx's cache."""
        count = 0
        while not self.leaving.wait(0.1):
            count += 1
            api = Api(self.stack.url)
            spelling = "Bearer" + count * " " + self.stack.state["read_key"]
            self.visits[api.get("/v1/tasks?limit=1", headers={"Authorization": spelling}).status] += 1
            api.close()

    def test_three_restarts_lose_none_of_5000_posts(self):
        self.leaving, self.visits = threading.Event(), collections.Counter()
        visitor = threading.Thread(target=self.visit, daemon=True)
        visitor.start()
        load = Load(self.stack, clients=8)
        self.addCleanup(load.stop)
        handler = self.stack.programs["fcgi"]
        for _ in range(3):
            goal = load.count(201) + 1300  # enough for the new handler to be serving
            self.wait_until(lambda: load.count(201) >= goal, 60)
            leaving = handler.pid
            os.kill(leaving, signal.SIGTERM)
            self.wait_until(lambda: handler.pid not in (None, leaving), 60)
            self.assertIn(f"handler {leaving} ended with status 0", (self.stack.log / "fcgi.log").read_text())
        self.wait_until(lambda: load.count(201) >= goal + 1300, 60)
        load.stop()
        self.leaving.set()
        visitor.join()
        self.assertEqual(load.errors, [])
        self.assertEqual([creation.reply.body for creation in load.answers
                          if creation.reply.status != 201], [])
        self.assertEqual(set(self.visits), {200})
        self.assertEqual(self.stack.postgres.psql(
            f"SELECT count(*) FROM postern.task WHERE queue = '{load.queue}'"), str(len(load.answers)))


if __name__ == "__main__":
    unittest.main()
