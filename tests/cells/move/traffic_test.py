#!/usr/bin/python3
"""A tenant moves between two running cells while its clients create tasks: each is delivered, none is lost, and who asks with an
old key is led on."""

import collections
import pathlib
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from pair import CellsTest, wait_until  # noqa: E402

from harness import Answer, Api  # noqa: E402


class Client(threading.Thread):
    """Creates tasks one after the other with idempotency keys, and repeats what was not acknowledged."""

    def __init__(self, test, number):
        super().__init__()
        self.test, self.number, self.over = test, number, threading.Event()
        self.made, self.slowest, self.statuses = {}, 0, collections.Counter()

    def run(self):
        n = 0
        while not self.over.is_set():
            n += 1
            begun = time.monotonic()
            name = f"/{self.number}/{n}"
            self.made[name] = self.create(name)
            self.slowest = max(self.slowest, time.monotonic() - begun)
            time.sleep(0.01)

    def create(self, name):
        url = self.test.front
        end = time.monotonic() + 60
        while time.monotonic() < end:
            api = Api(url, self.test.key)
            try:
                reply = api.request("POST", "/v1/tasks", {"queue": "q", "webhook_url": self.test.receiver.url(name)},
                                    {"Idempotency-Key": name})
            finally:
                api.close()
            self.statuses[reply.status] += 1
            if reply.status in (200, 201):
                return reply.json["id"]
            if reply.status == 308:
                url = reply.headers["Location"].removesuffix("/v1/tasks")
            elif reply.status != 503:
                raise AssertionError(f"{reply.status} {reply.body}")
            time.sleep(0.05)
        raise AssertionError(f"{name} was not created within a minute")


class Traffic(CellsTest):
    def test_nothing_is_lost_and_old_keys_lead_on(self):
        self.acme = self.tenant(self.a)
        self.key = self.a.key("--tenant", self.acme)
        api = self.at(self.front, self.key)
        self.assertEqual(api.request("POST", "/v1/schedules", {
            "name": "each", "interval_seconds": 1, "queue": "q", "webhook_url": self.receiver.url("/each")}).status, 201)
        delayed = [api.post("/v1/tasks", {"queue": "q", "delay": 5, "webhook_url": self.receiver.url(f"/delayed/{n}")}).json["id"]
                   for n in range(50)]
        # One that the receiver has taken for later, and tells the end of when all is over.
        self.receiver.on("/deferred", Answer(202, headers={"Postern-Defer": "600"}))
        deferred = api.post("/v1/tasks", {"queue": "q", "webhook_url": self.receiver.url("/deferred")}).json["id"]
        wait_until(lambda: self.receiver.at("/deferred"), 20)
        folder = pathlib.Path(self.a.dir) / "cells"
        folder.mkdir()
        (folder / "b.conf").write_text(f"database = {self.b.postgres.url()}\ncell = b\npublic_url = {self.b.url}\n")
        clients = [Client(self, number) for number in range(3)]
        for client in clients:
            client.start()
        try:
            time.sleep(1)  # of traffic
            done = self.a.postern("tenant", "move", self.acme, "--to", "b", "--cells", str(folder))
            before = {client: len(client.made) for client in clients}
            wait_until(lambda: all(len(client.made) > before[client] + 20 for client in clients), 60, "they go on")
        finally:
            for client in clients:
                client.over.set()
            for client in clients:
                client.join()
        made = {name: task for client in clients for name, task in client.made.items()}
        print(f"pause {done['pause_ms']} ms, repeats {done['repeats']}, tasks {len(made)}, slowest creation"
              f" {max(client.slowest for client in clients):.2f} s, answers {sum((c.statuses for c in clients), collections.Counter())}")
        self.assertLess(done["pause_ms"], 5000)
        wait_until(lambda: all(self.receiver.at(name) for name in made), 60, "all are delivered")
        wait_until(lambda: all(self.receiver.at(f"/delayed/{n}") for n in range(50)), 60, "the delayed ones, too")
        calls = sum(len(self.receiver.at(name)) for name in made)
        self.assertLessEqual(calls - len(made), done["repeats"])
        # Each is in the new cell once, and nowhere else.
        ids = set(made.values()) | set(delayed) | {deferred}
        self.assertEqual(len(ids), len(made) + 51)
        count = f"SELECT count(*) || ' ' || count(DISTINCT id) FROM postern.task_all WHERE tenant = '{self.acme}'"
        total = self.b.postgres.psql(count).split()
        self.assertEqual(total[0], total[1])
        self.assertGreaterEqual(int(total[0]), len(ids))
        self.assertEqual(self.a.postgres.psql(count), "0 0")
        # Its report goes to the old cell, which says where it is.
        complete = self.receiver.at("/deferred")[0].headers["Postern-Complete-Url"]
        self.assertTrue(complete.startswith(self.a.url), complete)
        told = self.at(self.a.url).request("POST", complete.removeprefix(self.a.url), {})
        self.assertEqual(told.status, 308, told.body)
        self.assertTrue(told.headers["Location"].startswith(self.b.url))
        told = self.at(self.b.url).request("POST", told.headers["Location"].removeprefix(self.b.url), {})
        self.assertEqual(told.status, 200, told.body)
        self.assertEqual(len(self.receiver.at("/deferred")), 1)
        # The schedule goes on there; the old key asks for it by the front.
        fired = len(self.receiver.at("/each"))
        wait_until(lambda: len(self.receiver.at("/each")) > fired, 20, "the schedule fires in the new cell")
        self.assertEqual(self.at(self.front, self.key).get("/v1/whoami").json["tenant"], self.acme)
        found = self.a.postern("tenant", "list")
        self.assertEqual({row["name"]: (row["state"], row["moved_to"]) for row in found}[self.acme], ("moved", "b"))


if __name__ == "__main__":
    unittest.main()
