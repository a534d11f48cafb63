#!/usr/bin/python3
"""A tenant moves by `postern tenant move` while its clients go on through nginx: what they acknowledged is in the other cell once, and
whatever they hold, keys, tokens, signals and completion URLs, goes on working."""

import contextlib
import subprocess
import threading
import unittest
import urllib.parse
import uuid

from pair import CellsTest, wait_until

from harness import Answer
from postgres import SupportError


class Writer(threading.Thread):
    """Creates tasks through the vhost of both cells until it is stopped, each again after a 503, with its idempotency key."""

    def __init__(self, api, task):
        super().__init__()
        self.api, self.task = api, task
        self.acknowledged, self.refused, self.odd = [], [], []
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            key = {"Idempotency-Key": uuid.uuid4().hex}
            while True:
                reply = self.api.post("/v1/tasks", self.task, headers=key)
                if reply.status in (200, 201):
                    self.acknowledged.append(reply.json["id"])
                    break
                reason = reply.json["error"]["details"]["reason"] if reply.body else ""
                # The others are of a machine that is busy.
                passing = reply.status == 503 and reason in ("tenant_moving", "database_slow", "database_busy")
                (self.refused if passing else self.odd).append((reply.status, reason))
                if self.odd:
                    return

    def stop(self):
        self.ending.set()
        self.join()


class Moving(CellsTest):
    def move(self, tenant, start=None, to=None, *options):
        start, to = start or self.a, to or self.b
        folder = self.a.dir / "cells"
        folder.mkdir(exist_ok=True)
        for cell in (self.a, self.b):
            (folder / f"{cell.label}.conf").write_text(
                f"database = {cell.postgres.url('postgres')}\npublic_url = {cell.url}\ncell = {cell.label}\n")
        return start.postern("tenant", "move", tenant, "--to", to.label, "--cells", str(folder), *options)

    def test_clients_go_on(self):
        acme = self.tenant(self.a)
        key, sandbox, boss = (self.a.key("--tenant", acme, *more) for more in ((), ("--sandbox",), ()))
        token = self.token(tenant=acme)
        api = self.at(self.front, key)
        self.receiver.on("/defer", Answer(202, headers={"Postern-Defer": "600"}))
        deferring = api.post("/v1/tasks", {"queue": "default", "webhook_url": self.receiver.url("/defer")})
        self.assertEqual(deferring.status, 201)
        waits = api.post("/asyncqueue/v1/tasks", {"targetUrl": self.receiver.url("/hook"), "waitForSignal": True,
                                                  "maxWaitTime": 3600}).json
        url = self.receiver.wait_for(lambda _: self.receiver.at("/defer"))[0].headers["Postern-Complete-Url"]
        deferred = f"SELECT count(*) FROM postern.lease WHERE deferred AND tenant = '{acme}'"
        wait_until(lambda: self.a.postgres.psql(deferred) == "2", what="both wait for their receivers")
        api.post("/v1/queues", {"name": "paused"})
        api.post("/v1/queues/paused/pause")
        writers = [Writer(self.at(self.front, credential), self.task(queue="paused"))
                   for credential in (key, token, boss)]
        for writer in writers:
            writer.start()
        wait_until(lambda: all(len(writer.acknowledged) > 50 for writer in writers))
        self.move(acme)
        behind = [len(writer.acknowledged) for writer in writers]
        wait_until(lambda: all(len(writer.acknowledged) > count + 50 or writer.odd
                               for writer, count in zip(writers, behind)))
        for writer in writers:
            writer.stop()
            self.assertEqual(writer.odd, [])
        made = [task for writer in writers for task in writer.acknowledged]
        there = set(self.b.postgres.psql(f"SELECT id FROM postern.task WHERE tenant = '{acme}'").split())
        self.assertEqual(len(set(made)), len(made))
        self.assertEqual(int(self.a.postgres.psql(f"SELECT count(*) FROM postern.task WHERE tenant = '{acme}'")), 0)
        self.assertEqual(len([task for task in self.listed(api) if task in set(made)]), len(made))
        self.assertGreaterEqual(len(there), len(made))

        # When nginx has no verdict from before: an old key is judged by the cell that it was made in, and by the new one.
        self.forget_verdicts()
        for credential in (key, sandbox, token):
            self.assertEqual(self.at(self.front, credential).get("/v1/whoami").json["tenant"], acme)
            self.assertEqual(self.at(self.front, credential).post("/v1/tasks", self.task()).status, 201)

        # What receivers hold.
        url = urllib.parse.urlsplit(url)
        reply = self.at(self.a.url).post(f"{url.path}?{url.query}", {})
        self.assertEqual(reply.status, 308, reply.body)
        self.assertEqual(self.at(self.b.url).post(f"{url.path}?{url.query}", {}).status, 200)
        signal = f"/v1/signals/{waits['signalToken']}"
        self.assertEqual(self.at(self.a.url).post(signal, {"status": "completed"}).status, 308)
        reply = self.at(self.b.url).post(signal, {"status": "completed"})
        self.assertEqual(reply.status, 200, reply.body)

    def test_one_that_comes_back_is_served_where_it_is_until_it_is_there(self):
        acme = self.tenant(self.a)
        key, token = self.a.key("--tenant", acme), self.token(tenant=acme)
        self.a.postern("key", "create", "--tenant", acme, "--role", "read", "--name", "old")
        self.receiver.on("/defer", Answer(202, headers={"Postern-Defer": "600"}))
        api = self.at(self.front, key)
        self.assertEqual(api.post("/v1/tasks", {"queue": "default", "webhook_url": self.receiver.url("/defer")}).status, 201)
        url = self.receiver.wait_for(lambda _: self.receiver.at("/defer"))[0].headers["Postern-Complete-Url"]
        url = urllib.parse.urlsplit(url)
        self.move(acme)
        with self.copying_to(self.a, acme):
            self.forget_verdicts()
            for credential in (key, token):
                for address in (self.front, self.a.url, self.b.url):
                    api = self.at(address, credential)
                    self.assertEqual(api.get("/v1/tasks").status, 200)
                    made = api.post("/v1/tasks", self.task())
                    self.assertEqual(made.status, 201, made.body)
                    self.assertTrue(made.headers["Location"].startswith(self.b.url))
            self.assertEqual(self.at(self.a.url).post(f"{url.path}?{url.query}", {"progress": 1}).status, 308)
            with self.assertRaisesRegex(SupportError, f"the tenant {acme} has moved to the cell b"):
                self.a.postgres.psql(f"INSERT INTO postern.role_tenant VALUES ('postgres', '{acme}');"
                                     "SELECT postern.enqueue('default', 'http://receiver.test/')")
            # The keys that it has at the end are those of the cell where it is now.
            for change in (("key", "create", "--role", "read", "--name", "early"), ("key", "revoke", "--name", "old")):
                with self.assertRaisesRegex(SupportError, f"the tenant {acme} is on its way into this cell"):
                    self.a.postern(*change, "--tenant", acme)
        for credential in (key, token):
            self.assertEqual(self.at(self.front, credential).get("/v1/whoami").json["tenant"], acme)
        made = self.at(self.front, key).post("/v1/tasks", self.task())
        self.assertEqual(made.status, 201, made.body)
        self.assertEqual(self.a.postgres.psql(f"SELECT state FROM postern.tenant WHERE name = '{acme}'"), "here")

    @contextlib.contextmanager
    def copying_to(self, target, tenant):
        """A move back to `target`, as long as it copies."""
        source = self.b if target is self.a else self.a
        lock = subprocess.Popen([target.postgres.bin / "psql", "-XAtq", target.postgres.url("postgres")], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        lock.stdin.write("BEGIN; LOCK TABLE postern.queue_minute IN SHARE MODE;\n\\echo locked\n")
        lock.stdin.flush()
        self.assertEqual(lock.stdout.readline(), "locked\n")
        failed = []

        def move():
            try:
                self.move(tenant, source, target)
            except SupportError as error:
                failed.append(error)

        moving = threading.Thread(target=move)
        moving.start()
        try:
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'postern'"
            wait_until(lambda: failed or target.postgres.psql(waits) != "0")
            yield
        finally:
            lock.communicate("COMMIT;\n")
            moving.join()
        self.assertEqual(failed, [])

    def forget_verdicts(self):
        """Takes from nginx what it has kept of verdicts."""
        for path in (self.a.dir / "nginx/auth").rglob("*"):
            if path.is_file():
                path.unlink()
        self.a.reload()  # the workers have the files open

    def listed(self, api):
        cursor, out = "", []
        while cursor is not None:
            page = api.get(f"/v1/tasks?queue=paused&limit=100{cursor and '&cursor=' + cursor}").json
            out += [task["id"] for task in page["tasks"]]
            cursor = page["pagination"].get("next_cursor")
        return out


if __name__ == "__main__":
    unittest.main()
