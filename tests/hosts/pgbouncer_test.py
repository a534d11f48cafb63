#!/usr/bin/python3
"""PgBouncer in transaction mode between all programs and PostgreSQL."""

import os
import pathlib
import re
import shutil
import signal
import statistics
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import conformance_test  # noqa: E402
from harness import StackTest  # noqa: E402
from postgres import as_owner, run  # noqa: E402
from process import Process  # noqa: E402
from stack import REPO, Stack  # noqa: E402

PGBOUNCER = "/usr/sbin/pgbouncer"
CONFIGURATION = """
[databases]
* = host={server}
[pgbouncer]
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
unix_socket_dir = {folder}
listen_port = 5432
auth_type = trust
auth_file = {folder}/users
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
admin_users = postgres
"""


class PooledStack(Stack):
    """A stack whose programs reach PostgreSQL through PgBouncer. The operator's command connects directly."""

    pool_size = 6

    def __init__(self, folder, settings=None):
        super().__init__(folder, {"POSTERN_PREPARED_STATEMENTS": "false", **(settings or {})})
        self.pool = self.dir / "pool"
        self.programs["pgbouncer"] = Process(self.run / "pgbouncer.pid")

    def start(self):
        self._make_folders()
        self.start_pool()
        super().start()

    def start_pool(self):
        if self.programs["pgbouncer"].pid:
            return
        if not self.pool.exists():
            self.pool.mkdir()
            (self.pool / "users").write_text("".join(f'"{name}" ""\n' for name in ("postern_api", "postern_scheduler", "postgres")))
            (self.pool / "pgbouncer.ini").write_text(CONFIGURATION.format(
                server=self.postgres.folder, folder=self.pool, pool_size=self.pool_size))
            if os.geteuid() == 0:
                for path in (self.dir, self.run):
                    path.chmod(path.stat().st_mode | 0o011)
                for path in (self.pool, *self.pool.iterdir()):
                    shutil.chown(path, "postgres", "postgres")
        self._spawn("pgbouncer", [PGBOUNCER, "-q", self.pool / "pgbouncer.ini"], **as_owner())

    def kill(self):
        super().kill()
        self.programs["pgbouncer"].stop(signal.SIGKILL)

    def _environment(self, role):
        environment = super()._environment(role)
        if role.startswith("postern_"):
            environment["POSTERN_DATABASE"] = f"host={self.pool} dbname=postern user={role}"
        return environment


StackTest.stack_type = PooledStack


class Pooled(StackTest):
    def test_a_task_starts_within_a_second_without_notifications(self):
        took = []
        for _ in range(5):
            begun = time.monotonic()
            self.create(webhook_url=self.receiver.url(f"/{begun}"))
            self.receiver.wait_for(lambda requests: self.receiver.at(f"/{begun}"))
            took.append(time.monotonic() - begun)
        print(f"arrivals after {', '.join(f'{each:.2f}' for each in took)} s")
        self.assertLess(statistics.median(took), 1.5)  # single ones may be late on a busy machine

    def test_logins_keep_the_settings(self):
        """The statements of docs/settings.md are enough for a connection of PgBouncer that no program has seen."""
        text = (REPO / "docs/settings.md").read_text()
        block = re.search("<!-- test: hosts pgbouncer -->\n```sql\n(.*?)```", text, re.DOTALL)[1]
        source = (REPO / "db/pg/session.cpp").read_text()
        by_index = re.search(r"kPlansByIndex\{(.*?)\n\};", source, re.DOTALL)[1]
        wanted = dict(re.findall(r'SessionSetting\{"(\w+)", "([^"]*)"\}', by_index))
        given = {}
        for role, name, value in re.findall(r"ALTER ROLE (\w+) SET (\w+) = (.*?);", block):
            given.setdefault(role, {})[name] = value
        self.assertLessEqual(wanted.items(), given["postern_scheduler"].items())
        self.stack.postgres.psql(block)
        for role, values in given.items():
            # A fresh connection has what the login has.
            with_role = f"SELECT name, setting FROM pg_settings WHERE name IN ({', '.join(map(repr, values))})"
            fresh = run([self.stack.postgres.bin / "psql", "-XAtq", "-c", with_role, self.stack.postgres.url(role)])
            self.assertEqual(dict(line.split("|") for line in fresh.splitlines()), values)

    def test_a_restart_of_pgbouncer(self):
        pool, pids = self.stack.programs["pgbouncer"], self.pids()
        self.create()
        pool.stop(signal.SIGKILL)
        body = {"queue": "default", "webhook_url": self.receiver.url("/after")}
        self.assertEqual(self.api.post("/v1/tasks", body).status, 503)
        begun = time.monotonic()
        self.stack.start_pool()
        self.wait_until(lambda: self.api.post("/v1/tasks", body).status == 201)
        created = time.monotonic() - begun
        self.receiver.wait_for(lambda _: self.receiver.at("/after"))
        print(f"after a restart: create {created:.1f} s, delivery {time.monotonic() - begun:.1f} s")
        self.assertEqual(self.pids(), pids)

    def pids(self):
        return [self.stack.programs[name].pid for name in ("fcgi", "scheduler")]

    def test_schedules_streams_and_sweeps(self):
        """What the conformance suite has not."""
        self.api.post("/v1/schedules", {"name": "s", "queue": "default", "interval_seconds": 1, "webhook_url": self.receiver.url("/s")})
        self.receiver.wait_for(lambda _: len(self.receiver.at("/s")) >= 2)
        self.assertEqual(self.api.delete("/v1/schedules/s").status, 204)
        waiting = self.create(delay=1)
        begun = time.monotonic()
        over = self.api.get(f"/v1/tasks/{waiting['id']}?wait=25").json
        self.assertEqual(over["status"], "completed")
        self.assertLess(time.monotonic() - begun, 20)  # well before the requested 25 s
        for _ in range(30):
            self.create(queue="sweep", delay=3600)
        swept = self.api.post("/v1/tasks/cancel", {"filter": {"queue": "sweep"}})
        self.assertEqual(swept.status, 200, swept.body)
        self.receiver.on("/again", 500, 200)
        again = self.finished(self.create(webhook_url=self.receiver.url("/again"), retry_policy={"intervals": [1]}))
        self.assertEqual(again["attempt_count"], 2)


# All of it on one stack: unittest ends those of a module with the module.
globals().update({name: type(name, (kind,), {}) for name, kind in vars(conformance_test).items()
                  if isinstance(kind, type) and issubclass(kind, StackTest) and kind is not StackTest})


if __name__ == "__main__":
    unittest.main()
