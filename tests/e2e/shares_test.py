#!/usr/bin/python3
"""One tenant's lists, counts and sweeps beside another tenant: whoever asks for too much is told so, and the other one
has an answer to everything."""

import threading
import time
import unittest

from harness import Api, StackTest

ROWS = 200_000


class Shares(StackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Half of them finished, with lane and queue that nothing is delivered from.
        cls.stack.postgres.psql(f"""
            INSERT INTO postern.task_finished (id, tenant, queue, url, created_at, finished_at, state, reason)
            SELECT (lpad(to_hex((extract(epoch FROM made) * 1000)::bigint), 12, '0') || '70008000' ||
                    lpad(to_hex(n), 12, '0'))::uuid, 'default', 'q' || n % 50, 'http://a.test/', made, made, 'failed',
                   'exhausted'
              FROM (SELECT n, now() - n * interval '0.1 s' AS made FROM generate_series(1, {ROWS}) n) t;
            ANALYZE postern.task_finished""")
        cls.stack.postern("tenant", "create", "--name", "victim")
        cls.victim_key = cls.stack.postern("key", "create", "--role", "admin", "--name", "victim", "--tenant",
                                           "victim")["key"]

    def attack(self, requests, threads):
        """Asks from so many threads until the function returned is called, which returns the replies' statuses and
        reasons."""
        over = threading.Event()
        seen = []

        def ask(number):
            api = Api(self.stack.url, self.stack.state["admin_key" if number % 2 else "read_key"])
            while not over.is_set():
                for method, path, body in requests:
                    reply = api.request(method, path, body)
                    reason = reply.json["error"]["details"]["reason"] if reply.status >= 400 else ""
                    seen.append((reply.status, reason, reply.headers.get("Retry-After")))
            api.close()

        workers = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()

        def end():
            over.set()
            for worker in workers:
                worker.join()
            return seen

        return end

    def beside(self, requests, threads, seconds=4):
        """Whether all goes well with the victim beside this; returns what the attacker was answered."""
        victim = Api(self.stack.url, self.victim_key)
        self.addCleanup(victim.close)
        stranger = self.client()
        end = self.attack(requests, threads)
        try:
            until = time.monotonic() + seconds
            n = 0
            while time.monotonic() < until:
                n += 1
                made = victim.post("/v1/tasks", {"queue": "v", "webhook_url": "http://a.test/", "delay": 3600})
                self.assertEqual(made.status, 201, made.body)
                self.assertEqual(victim.get(f"/v1/tasks/{made.json['id']}").status, 200)
                self.assertEqual(victim.get("/v1/tasks?limit=5").status, 200)
                self.assertEqual(victim.post(f"/v1/tasks/{made.json['id']}/cancel").status, 200)
                # Unknown keys, each of which the authenticator has to look for.
                headers = {"Authorization": f"Bearer unknown-{n}"}
                self.assertEqual(stranger.get("/v1/queues", headers=headers).status, 401)
                self.assertEqual(victim.get("/readyz").status, 200)
        finally:
            seen = end()
        self.assertGreater(n, 0)
        return seen

    def test_lists_and_counts(self):
        seen = self.beside([("GET", "/v1/tasks?created_until=2000-01-01", None),
                            ("GET", "/v1/tasks?tag=none&limit=100", None),
                            ("GET", "/v1/tasks?type=none&limit=100", None),
                            ("GET", "/v1/stats", None)], 48)
        self.assertEqual({status for status, *_ in seen} - {200, 429}, set())
        self.assertIn((429, "too_many_reads", "1"), seen)

    def test_sweeps(self):
        seen = self.beside([("POST", "/v1/tasks/retry", {"filter": {"tag": "none", "status": "failed"}})], 48)
        self.assertEqual({status for status, *_ in seen} - {200, 403, 429}, set())
        self.assertIn((429, "too_many_sweeps", "1"), seen)


if __name__ == "__main__":
    unittest.main()
