#!/usr/bin/python3
"""The connection to PostgreSQL breaks during a commit: committed tasks are acknowledged, others get a 503, and
no task is written twice.

A proxy on PostgreSQL's socket breaks the connection at exactly that point; by chance it would take thousands
of tries.
"""

import contextlib
import pathlib
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Stack, StackTest  # noqa: E402

READY = b"Z\x00\x00\x00\x05I"  # ReadyForQuery, outside of a transaction: the end of a statement's answer


class Proxy:
    """Forwards all bytes. Once after `arm`, it breaks the connection on which `marker` is sent: before the
    statement reaches PostgreSQL ("swallow"), or after PostgreSQL has answered it ("cut")."""

    def __init__(self, path, server):
        self.server = str(server)
        self.fault = self.marker = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, fault, marker):
        self.fault, self.marker = fault, marker

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        cut = threading.Event()  # once set, the server's bytes are dropped
        with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(self.server)
            back = threading.Thread(target=self._run, args=[self._from_server, client, server, cut], daemon=True)
            back.start()
            self._run(self._from_client, client, server, cut)
            back.join()

    def _run(self, pump, client, server, cut):
        with contextlib.suppress(OSError):  # either side may close first
            pump(client, server, cut)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _from_client(self, client, server, cut):
        while data := client.recv(65536):
            if self.marker and self.marker in data:
                self.marker = None
                if self.fault == "swallow":
                    return
                cut.set()
            server.sendall(data)

    def _from_server(self, client, server, cut):
        while data := server.recv(65536):
            if not cut.is_set():
                client.sendall(data)
            elif data.endswith(READY):
                return


class ProxiedStack(Stack):
    """A stack whose handlers connect through the proxy; all other programs connect directly."""

    def start(self):
        folder = self.dir / "proxy"
        folder.mkdir(parents=True)
        self.proxy = Proxy(folder / ".s.PGSQL.5432", self.postgres.folder / ".s.PGSQL.5432")
        super().start()

    def _environment(self, role):
        environment = super()._environment(role)
        if role == "postern_api":
            environment["POSTERN_DATABASE"] = f"host={self.dir}/proxy dbname=postern user={role}"
        return environment


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
