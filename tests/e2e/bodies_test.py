"""Large bodies: they are sent whole, and those in the scheduler's memory have a bound in all and for each tenant."""

import hashlib
import pathlib
import re
import socket
import threading
import unittest

from harness import Answer, StackTest

MIB = 1024 * 1024


class Bodies(StackTest):
    settings = {"POSTERN_UNSENT_BODIES": "32m"}

    def memory(self, name):
        status = pathlib.Path(f"/proc/{self.stack.programs['scheduler'].pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M)[1]) * 1024

    def enqueue(self, count, url, size, role=None):
        """`count` tasks with a body of `size` bytes, by SQL."""
        self.stack.postgres.psql(
            ("SET SESSION AUTHORIZATION big; " if role else "") +
            f"SELECT count(postern.enqueue('big-' || i, '{url}', convert_to(repeat('0123456789abcdef', {size // 16}), 'UTF8'),"
            f" 'text/plain', timeout => '30 min')) FROM generate_series(1, {count}) i")

    def test_receivers_that_read_nothing_take_no_more_memory_than_is_set_and_hold_up_nobody(self):
        self.stack.postern("tenant", "create", "--name", "big")
        self.stack.postgres.psql("CREATE ROLE big LOGIN IN ROLE postern_enqueue;"
                                 "INSERT INTO postern.role_tenant VALUES ('big', 'big')")
        deaf = socket.create_server(("127.0.0.1", 0), backlog=256)  # connects, and never reads
        self.addCleanup(deaf.close)
        before = self.memory("VmRSS")
        self.enqueue(40, f"http://127.0.0.1:{deaf.getsockname()[1]}/", 8 * MIB, role="big")
        active = "SELECT count(*) FROM postern.lease WHERE tenant = 'big'"
        self.wait_until(lambda: int(self.stack.postgres.psql(active)) >= 3, 60, "some are under way")
        for _ in range(10):
            self.assertEqual(self.finished(self.create(), 60)["status"], "completed")
        # 24 MiB are the tenant's share, and each claim brings one of these.
        self.assertLess(int(self.stack.postgres.psql(active)), 6)
        self.assertLess(self.memory("VmHWM") - before, 32 * MIB + 4 * 8 * MIB)

    def test_what_was_sent_is_held_no_longer(self):
        never = threading.Event()
        self.addCleanup(never.set)
        self.receiver.on("/slow", Answer(until=never))
        before = self.memory("VmRSS")
        self.enqueue(20, self.receiver.url("/slow"), 8 * MIB)  # five times what may wait to be sent
        sent = self.receiver.wait_for(lambda requests: len(requests) == 20, 120)
        self.assertEqual({hashlib.sha256(request.body).digest() for request in sent},
                         {hashlib.sha256(b"0123456789abcdef" * (MIB // 2)).digest()})
        self.assertLess(self.memory("VmRSS") - before, 64 * MIB)


if __name__ == "__main__":
    unittest.main()
