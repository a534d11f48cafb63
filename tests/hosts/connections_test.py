#!/usr/bin/python3
"""How many connections to PostgreSQL each program takes, and what happens when there are no more."""

import collections
import concurrent.futures
import pathlib
import signal
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import StackTest, wait_until  # noqa: E402
from stack import Stack  # noqa: E402

MOST = 24  # max_connections
POOLS = {"POSTERN_POOL_SIZE": "4", "POSTERN_READ_POOL_SIZE": "2", "POSTERN_VITAL_POOL_SIZE": "1"}
OF_HANDLERS = 4 + 2 + 1 + 2  # and the two that insert tasks
OF_SCHEDULER = 4


class SmallStack(Stack):
    def _make_folders(self):
        super()._make_folders()
        create = self.postgres._create

        def with_few():
            create()
            with open(self.postgres.data / "postgresql.conf", "a") as file:
                file.write(f"max_connections = {MOST}\n")

        self.postgres._create = with_few


class Connections(StackTest):
    stack_type = SmallStack
    settings = POOLS

    def counted(self):
        rows = self.stack.postgres.psql("SELECT application_name || ' ' || count(*) FROM pg_stat_activity WHERE application_name "
                                        "LIKE 'postern-%' AND application_name NOT LIKE '% pulse' GROUP BY application_name").splitlines()
        return {name: int(count) for name, count in map(str.split, rows)}

    def test_each_program_keeps_to_its_number(self):
        task = self.create(delay=3600)
        over = threading.Event()

        def ask(method, path, body=None):
            api = self.client("admin")
            while not over.is_set():
                api.request(method, path, body)

        requests = [("GET", "/v1/tasks?limit=100"), ("PATCH", f"/v1/tasks/{task['id']}", {"priority": 1}), ("GET", "/readyz"),
                    ("POST", "/v1/tasks", {"queue": "q", "webhook_url": self.receiver.url("/")})]
        # While nobody reads these tables, each request holds its connection.
        locked = subprocess.Popen([self.stack.postgres.bin / "psql", "-XAtq", self.stack.postgres.url()], stdin=subprocess.PIPE,
                                  text=True)
        most = collections.Counter()

        def reached():
            most.update({name: max(0, count - most[name]) for name, count in self.counted().items()})
            return most["postern-fcgi"] >= OF_HANDLERS

        with concurrent.futures.ThreadPoolExecutor(32) as threads:
            asking = [threads.submit(ask, *request) for request in requests for _ in range(8)]
            try:
                locked.stdin.write("BEGIN; LOCK TABLE postern.task, postern.instance, postern.queue;\n")
                locked.stdin.flush()
                wait_until(reached, 30, "all connections are used")
                for _ in range(20):
                    reached()
            finally:
                over.set()
                locked.communicate("ROLLBACK;\n")
            for each in asking:
                each.result()
        self.assertEqual(most, {"postern-fcgi": OF_HANDLERS, "postern-scheduler": OF_SCHEDULER})

    def test_without_a_free_connection_all_wait_and_go_on(self):
        for name in ("socket", "fcgi", "scheduler"):
            self.stack.programs[name].stop(signal.SIGKILL)
        wait_until(lambda: self.stack.postgres.psql(  # else theirs would be free when all are taken
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'postern-%'") == "0")
        hogs = self.all_taken()
        try:
            self.stack._spawn_scheduler()
            self.stack._start_handlers()
            wait_until(lambda: self.api.get("/healthz").status == 200)
            refused = self.api.post("/v1/tasks", {"queue": "q", "webhook_url": self.receiver.url("/")})
            self.assertEqual(refused.status, 503)
            self.assertIn("Retry-After", refused.headers)
            self.assertEqual(self.api.get("/readyz").status, 503)
            for log in ("scheduler.log", "fcgi.log"):
                wait_until(lambda: "too many clients" in (text := (self.stack.log / log).read_text())
                           or "remaining connection slots" in text, what=f"{log} says why")
            pids = [self.stack.programs[name].pid for name in ("fcgi", "scheduler")]
        finally:
            for hog in hogs:
                hog.kill()
                hog.communicate()
        wait_until(lambda: self.api.post("/v1/tasks", {"queue": "q", "webhook_url": self.receiver.url("/after")}).status == 201)
        self.receiver.wait_for(lambda _: self.receiver.at("/after"))
        self.assertEqual(pids, [self.stack.programs[name].pid for name in ("fcgi", "scheduler")])

    def all_taken(self):
        """Sessions that have all connections but those kept for superusers."""
        hogs = []
        while True:
            hog = subprocess.Popen([self.stack.postgres.bin / "psql", "-XAtq", self.stack.postgres.url("postern_api")],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            hog.stdin.write("SELECT 1;\n")
            hog.stdin.flush()
            if not hog.stdout.readline():
                hog.communicate()
                return hogs
            hogs.append(hog)


if __name__ == "__main__":
    unittest.main()
