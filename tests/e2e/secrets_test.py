#!/usr/bin/python3
"""Tokens and keys stand in no log, whatever goes wrong with the requests that carry them; and the watch that every test
of the stack has (harness.py) finds one that does."""

import pathlib
import socket
import tempfile
import unittest
import urllib.parse

from harness import StackTest

# From tests/support, which harness.py has made importable.
import leaks
from stack import Stack

TOO_LARGE = bytes(512 * 1024 + 1)


class LogsTest(StackTest):
    def setUp(self):
        super().setUp()
        self.nobody = self.client()

    def access_log(self):
        return (self.stack.dir / "nginx/access.log").read_text()

    def error_log(self):
        return (self.stack.dir / "nginx/error.log").read_text()

    def paths_with_a_token(self):
        """Of a signal, and of a deferred attempt."""
        made = self.api.post("/v1/tasks", {"targetUrl": self.receiver.url("/signal"), "waitForSignal": True}).json
        self.create()
        self.receiver.wait_for(lambda _: self.receiver.at("/hook"))
        url = urllib.parse.urlsplit(self.receiver.at("/hook")[0].headers["Postern-Complete-Url"])
        token = made["signalToken"]
        return [f"/v1/signals/{token}", f"/asyncqueue/v1/signals/{token}", f"/v1/sign%61ls/{token}",
                f"/v1/signals%2F{token}?a", f"/v1/./signals/x/../{token}", f"/%76%31/%53ignals/{token}",
                f"{url.path}?{url.query}", f"{url.path.replace('complete', 'fail')}?{url.query}",
                f"{url.path.replace('complete', 'heartbeat')}?{url.query}"]

    def ask_all(self, paths):
        """Requests of all kinds; returns their statuses."""
        said = set()
        for path in paths:
            for method, body in (("POST", b"{"), ("GET", None), ("PUT", b"x"), ("TRACE", None), ("POST", TOO_LARGE),
                                 ("POST", iter([TOO_LARGE]))):
                said.add(self.client().request(method, path, body).status)
        return said


class Logs(LogsTest):
    def test_whatever_a_request_is_refused_for(self):
        said = self.ask_all(self.paths_with_a_token())
        self.assertLessEqual({400, 405, 413}, said)
        self.assertIn('"path":"/v1/signals/***"', self.access_log())
        self.assertIn('/complete"', self.access_log())
        self.stack.leaks.check()

    def test_when_no_handler_answers(self):
        paths = self.paths_with_a_token()
        self.stack.programs["socket"].stop(9)
        self.stack.programs["fcgi"].stop(9)
        try:
            self.assertTrue({502, 503} & self.ask_all(paths))
            self.assertIn(self.client().get("/readyz").status, (502, 503))
            self.assertIn("/readyz", self.error_log())  # of other requests nginx tells
        finally:
            self.stack.start()

    def test_when_the_database_has_a_fault(self):
        paths = self.paths_with_a_token()
        self.stack.postgres.psql("ALTER SCHEMA postern RENAME TO away")
        try:
            said = {self.nobody.post(path, {"status": "completed"}).status for path in paths}
        finally:
            self.stack.postgres.psql("ALTER SCHEMA away RENAME TO postern")
        self.assertTrue(said & {500, 503}, said)
        self.wait_until(lambda: self.api.get("/v1/tasks").status == 200)


class LimitedStack(Stack):
    places = {"rate=100r/s": "rate=1r/s"}  # so that the burst is used up however slow the machine is


class Many(LogsTest):
    stack_type = LimitedStack

    def test_when_there_are_too_many(self):
        path = self.paths_with_a_token()[0]
        last = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.stack.state["http_port"]), timeout=30) as connection:
            connection.sendall((last.replace("close", "keep-alive") * 900 + last).encode())  # nginx answers one by one
            said = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        self.assertIn(b"HTTP/1.1 429 ", said)


class TheWatch(unittest.TestCase):
    def watch_of(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        (pathlib.Path(folder.name) / "some.log").write_text(text)
        return leaks.Watch(folder.name)

    def test_it_finds_what_a_test_has_seen(self):
        leaks.learn_exchange("/v1/signals/sig-0123456789abcdef0", {"Authorization": "Bearer aaaaaaaaaaaaaaaa.b.c"},
                             b'{"secret": "whsec_bbbbbbbbbbbbbbbb/c"}', b'{"signalToken":"cccccccccccccccccc"}')
        leaks.learn_url("https://a.test/v1/tasks/task_01/complete?token=dddddddddddddddd")
        for line in ("GET /v1/signals/sig-0123456789abcdef0 HTTP/1.1", "key=aaaaaaaaaaaaaaaa.b.c", "x whsec_bbbbbbbbbbbbbbbb",
                     '"cccccccccccccccccc"', "a?token=dddddddddddddddd"):
            with self.assertRaises(leaks.Leak) as caught:
                self.watch_of(f"first\n{line}\nlast\n").check()
            self.assertIn("[secret]", str(caught.exception))
            self.assertNotRegex(str(caught.exception), "0123456789abcdef0|a{16}|b{16}|c{16}|d{16}")
        self.watch_of("task_01\nBearer token=short\n").check()

    def test_it_reads_each_line_once_and_whole(self):
        leaks.learn("eeeeeeeeeeeeeeeeeeee")
        watch = self.watch_of("a eeeeeeeeee")
        watch.check()
        [log] = watch.folders[0].iterdir()
        with open(log, "a") as file:
            file.write("eeeeeeeeee b\n")
        with self.assertRaises(leaks.Leak):
            watch.check()
        watch.check()


if __name__ == "__main__":
    unittest.main()
