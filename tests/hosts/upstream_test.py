#!/usr/bin/python3
"""One nginx before the handlers of two hosts, as docs/scaling.md shows it: both work; of one that dies or is cut off a few
requests are answered 502 or 504, then the other has all of them, and when it is back it is used again."""

import re
import signal
import subprocess
import threading
import time
import unittest

import network
from cell import Cell
from harness import wait_until
from stack import BIN, REPO

PORT = 9000
FAIL_TIMEOUT = 2
READ_TIMEOUT = 4  # instead of 40 s
CLIENTS = 6


class Clients:
    """Clients that create tasks all the time; what was answered, when and after how long."""

    def __init__(self, cell, stack):
        self.answers = []  # (monotonic time of the answer, status, seconds)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[cell.api(stack)], daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self, api):
        while not self._stopping.is_set():
            begun = time.monotonic()
            status = api.post("/v1/tasks", {"queue": "x", "webhook_url": "http://10.77.0.1:9/", "delay": 3600}).status
            self.answers.append((time.monotonic(), status, time.monotonic() - begun))
        api.close()

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def failed(self, since):
        return [answer for answer in self.answers if answer[0] >= since and answer[1] != 201]

    def succeeded(self, since):
        return sum(answer[0] >= since and answer[1] == 201 for answer in self.answers)


class Upstream(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(Cell())
        first = self.cell.stack("web1")
        second = self.cell.stack("web2", start=False)
        self.front = self.cell.stack("front", start=False)
        self.handlers = {}
        for stack in (first, second):
            # postern-fcgi.socket with ListenStream=ADDRESS:PORT, or `listen` and `unsafe_bind`.
            process = stack.host.process(stack.run / "tcp.pid")
            self.addCleanup(process.stop, signal.SIGKILL)
            self.handlers[stack] = process
            self.start(stack)
        shown = re.search("/etc/nginx/postern/upstream.conf`.*<!-- test: hosts upstream -->\n```nginx\n(.*?)```", (REPO / "docs/scaling.md").read_text(), re.DOTALL)[1]
        for stack, address in zip(self.handlers, ("192.0.2.11:9000", "192.0.2.12:9000")):
            shown = shown.replace(address, f"{stack.host.address}:{PORT}")
        self.assertNotIn("192.0.2", shown)
        self.assertIn(f"fail_timeout={FAIL_TIMEOUT}s", shown)
        self.front.places |= {"fastcgi_read_timeout 40s;": f"fastcgi_read_timeout {READ_TIMEOUT}s;"}
        as_shipped = self.front._nginx_command

        def as_shown():
            command = as_shipped()
            (self.front.dir / "nginx/postern/upstream.conf").write_text(shown)
            return command

        self.front._nginx_command = as_shown
        self.front._start_nginx()
        wait_until(self.front._api_is_ready)

    def start(self, stack):
        environment = {**stack._environment("postern_api"), "POSTERN_LISTEN": f"{stack.host.address}:{PORT}",
                       "POSTERN_UNSAFE_BIND": "true"}
        with open(stack.log / "tcp.log", "ab") as log:
            self.handlers[stack].spawn([BIN / "postern-fcgi"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)

    def test_both_work_and_one_takes_over(self):
        _, second = self.handlers
        clients = Clients(self.cell, self.front)
        self.addCleanup(clients.stop)
        self.both_create(clients)
        for fault, undo, status in ((lambda: self.handlers[second].stop(signal.SIGKILL), lambda: self.start(second), 502),
                                    (second.host.cut, second.host.mend, 504)):
            since = time.monotonic()
            fault()
            wait_until(lambda: clients.failed(since), READ_TIMEOUT + 20, "a request that meets the fault")
            first = clients.failed(since)[0][0]
            wait_until(lambda: clients.succeeded(first) > 500, 60, "the other has all")
            # A 503 is of one whose credential nginx asked the lost host about, which may be the first that fails.
            wait_until(lambda: status in {each[1] for each in clients.failed(since)}, 60, f"a request that is answered {status}")
            # Each client met it once at most, and one more each time when nginx tried whether it is back.
            tries = 1 + (time.monotonic() - since) / FAIL_TIMEOUT
            failed = clients.failed(since)
            print(f"{len(failed)} of {len(clients.answers)} requests so far answered {status}, after {max(each[2] for each in failed):.1f} s at most")
            self.assertLessEqual({each[1] for each in failed}, {status, 503})
            self.assertLessEqual(len(failed), CLIENTS * tries)
            self.assertLess(max(each[2] for each in failed), READ_TIMEOUT + 2)
            undo()
            self.both_create(clients)

    def both_create(self, clients):
        begun, since = time.monotonic(), self.cell.psql("SELECT clock_timestamp()")
        for stack in self.handlers:
            # The handlers at the host's own socket, which no nginx here uses, insert nothing.
            wait_until(lambda: self.cell.psql(
                f"SELECT 1 FROM pg_stat_activity WHERE client_addr = '{stack.host.address}' AND application_name = 'postern-fcgi' "
                f"AND query_start > '{since}' AND query ~ 'INSERT INTO postern[.]task' LIMIT 1"), what=f"{stack.host.name} creates")
        self.assertGreater(clients.succeeded(begun), 0)


if __name__ == "__main__":
    network.main()
