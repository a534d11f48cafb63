#!/usr/bin/python3
"""nginx's wall clock: how long a verdict is kept, which docs/guarantees.md says."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import Api, wait_until
from harness_fcgi import Responder

# From tests/support, which harness.py has made importable.
import nginx
import skips
from process import Process
from stack import free_ports

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
KEPT = 3  # seconds, as the responder says
JUMP = 6

SITE = "    server {{ listen 127.0.0.1:{port}; include snippets/postern.conf; }}"


@unittest.skipUnless(pathlib.Path(FAKETIME).exists(), "libfaketime is missing")
class Clock(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.known = True
        responder = Responder(str(self.folder / "fcgi.sock"), self.answer)
        self.addCleanup(responder.stop)
        self.clock = self.folder / "clock"
        self.set_clock(0)
        [port] = free_ports(1)
        folder = self.folder / "nginx"
        command = nginx.command(folder, self.folder / "fcgi.sock", SITE.format(port=port))
        faked = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                 "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        # nginx's workers forget what is not named.
        main = folder / "nginx.conf"
        main.write_text("".join(f"env {name};\n" for name in faked) + main.read_text())
        process = Process(self.folder / "nginx.pid", folder)
        process.spawn(command, cwd=folder, stdin=subprocess.DEVNULL, env={**os.environ, **faked})
        self.addCleanup(process.stop, signal.SIGTERM)
        with socket.socket() as probe:
            wait_until(lambda: probe.connect_ex(("127.0.0.1", port)) == 0)
        self.api = Api(f"http://127.0.0.1:{port}", key="somebody's")
        self.addCleanup(self.api.close)

    def set_clock(self, seconds):
        new = self.clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(self.clock)

    def answer(self, params, _body):
        if params.get("POSTERN_SERVICE") != "auth":
            return "Status: 200\r\n\r\n"
        if self.known:
            return f"Status: 204\r\nX-Accel-Expires: {KEPT}\r\nPostern-Verdict: ok\r\nPostern-Identity: x\r\n\r\n"
        return "Status: 401\r\nX-Accel-Expires: 0\r\nPostern-Verdict: invalid\r\n\r\n"

    def kept(self):
        """For how many seconds a key that is revoked now is let in."""
        self.known = True
        wait_until(lambda: self.api.get("/v1/tasks").status == 200)
        self.known = False
        since = time.monotonic()
        wait_until(lambda: self.api.get("/v1/tasks").status == 401)
        return time.monotonic() - since

    def test_a_clock_that_is_off_keeps_verdicts_as_long_as_any(self):
        for hours in (-1, 1):
            self.set_clock(hours * 3600)
            self.api.key = f"of {hours}"
            self.assertLess(self.kept(), KEPT + 8)

    def test_a_clock_that_jumps_back_keeps_them_for_as_much_longer(self):
        self.assertEqual(self.api.get("/v1/tasks").status, 200)
        self.set_clock(-JUMP)
        kept = self.kept()
        self.assertGreater(kept, KEPT)
        self.assertLess(kept, KEPT + JUMP + 8)

    def test_a_clock_that_jumps_forward_keeps_them_no_longer(self):
        self.assertEqual(self.api.get("/v1/tasks").status, 200)
        self.set_clock(3600)
        self.known = False
        self.assertEqual(wait_until(lambda: (status := self.api.get("/v1/tasks").status) != 200 and status, KEPT), 401)


if __name__ == "__main__":
    skips.main()
