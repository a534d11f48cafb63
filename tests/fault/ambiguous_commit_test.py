#!/usr/bin/python3
"""The connection to PostgreSQL breaks during a commit: committed tasks are acknowledged, others get a 503, and
no task is written twice.
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import StackTest  # noqa: E402
from pg_proxy import ProxiedStack  # noqa: E402


class AmbiguousCommit(StackTest):
    stack_type = ProxiedStack

    def setUp(self):
        super().setUp()
        self.create(delay=86400)  # prepares all statements
        self.marker = f"marker-{self.id()}"

    def post(self, **headers):
        return self.api.post("/v1/tasks", {"queue": "q", "webhook_url": self.receiver.url("/hook"),
                                           "payload": {"is": self.marker}}, headers=headers)

    def rows(self):
        return int(self.stack.postgres.psql(
            "SELECT count(*) FROM postern.task_all "
            f"WHERE position('{self.marker}' in convert_from(body, 'UTF8')) > 0"))

    def assert_unknown(self, reply):
        self.assertEqual((reply.status, reply.json["error"]["details"]["reason"]), (503, "outcome_unknown"))
        self.assertIn("Retry-After", reply.headers)

    def assert_delivered_once(self, reply):
        self.assertEqual(reply.status, 201, reply.body)
        self.assertEqual(self.finished(reply.json)["attempt_count"], 1)
        self.assertEqual((self.rows(), len(self.receiver.requests)), (1, 1))

    def test_committed_but_the_answer_is_lost(self):
        self.stack.proxy.arm("cut", self.marker.encode())
        self.assert_delivered_once(self.post())
        self.assertIsNone(self.stack.proxy.marker)

    def test_never_arrived(self):
        self.stack.proxy.arm("swallow", self.marker.encode())
        self.assert_unknown(self.post())
        self.assertEqual(self.rows(), 0)
        self.assert_delivered_once(self.post())  # the client repeats the request

    def test_with_a_key_committed_but_the_answer_is_lost(self):
        self.stack.proxy.arm("cut", b"COMMIT")
        reply = self.post(**{"Idempotency-Key": "cut"})
        self.assertIsNone(self.stack.proxy.marker)
        self.assert_delivered_once(reply)
        again = self.post(**{"Idempotency-Key": "cut"})
        self.assertEqual((again.status, again.json["id"]), (200, reply.json["id"]))
        self.assertEqual(self.rows(), 1)

    def test_with_a_key_never_arrived(self):
        self.stack.proxy.arm("swallow", b"COMMIT")
        self.assert_unknown(self.post(**{"Idempotency-Key": "swallow"}))
        self.assertEqual(self.rows(), 0)
        self.assert_delivered_once(self.post(**{"Idempotency-Key": "swallow"}))


if __name__ == "__main__":
    unittest.main()
