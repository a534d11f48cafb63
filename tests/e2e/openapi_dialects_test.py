#!/usr/bin/python3
"""Compares the descriptions of the dialects at their own mounts with the server's answers."""

import unittest

from described import Described
from speakers import LATER


class Cases:
    """The tests of one dialect: every route once with success, and each error that can be provoked."""

    def test_every_route(self):
        self.ask_all()
        every = {(path, method) for path, methods in self.document["paths"].items() for method in methods}
        self.assertEqual(self.seen, every)

    def test_every_route_but_the_open_ones_needs_a_key(self):
        for template, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if "security" not in operation:
                    self.ask(method.upper(), template.replace("{id}", "x").replace("{name}", "x"),
                             None if method in ("get", "delete") else {}, 401, client=self.client())

    def test_unknown_operations_have_the_same_envelope(self):
        self.ask_other("GET", "/nothing", 404)
        self.ask_other("PUT", next(iter(self.document["paths"])), 405)

    def endpoint(self, name):
        """Registers the handler that clients of the original API have in their own programs."""
        reply = self.api.request("PUT", f"/v1/endpoints/{name}", {"url": self.receiver.url("/ok")})
        self.assertIn(reply.status, (200, 201), reply.body)
        return name


class AsyncQueue(Cases, Described):
    mount = "/asyncqueue"

    def ask_all(self):
        wanted = {"targetUrl": self.receiver.url("/ok"), "body": "{}", "delayUntil": LATER, "priority": 8,
                  "headers": {"X-One": "1"}, "onCompleteUrl": self.receiver.url("/done"), "maxRetries": 5}
        once = {"headers": {"Idempotency-Key": "described-asyncqueue"}}
        task = self.ask("POST", "/v1/tasks", wanted, 201, **once).json["task"]["id"]
        self.ask("POST", "/v1/tasks", wanted, 200, **once)
        self.ask("POST", "/v1/tasks", {**wanted, "priority": 1}, 422, **once)
        self.ask("POST", "/v1/tasks", {**wanted, "priority": 11}, 400)
        self.ask("POST", "/v1/tasks", b"x" * (513 * 1024), 413)
        self.ask("POST", "/v1/tasks", wanted, 403, client=self.client("read"))
        self.ask("GET", "/v1/tasks?status=delayed&limit=2")
        self.ask("GET", "/v1/tasks?status=nothing", status=400)
        self.ask("GET", f"/v1/tasks/{task}?wait=0")
        self.ask("GET", "/v1/tasks/nobody", status=404)
        self.ask("POST", f"/v1/tasks/{task}/cancel")
        self.ask("POST", f"/v1/tasks/{task}/cancel", status=409)
        self.ask("POST", f"/v1/tasks/{task}/retry")
        gone = self.ask("POST", "/v1/tasks", wanted, 201).json["task"]["id"]
        self.ask("DELETE", f"/v1/tasks/{gone}", status=204)
        self.signal()
        for path in ("/v1/openapi.json", "/healthz", "/readyz"):
            self.ask("GET", path)

    def signal(self):
        wanted = {"targetUrl": self.receiver.url("/ok"), "waitForSignal": True}
        made = self.ask("POST", "/v1/tasks", wanted, 201).json
        path = f"/v1/tasks/{made['task']['id']}"
        self.wait_until(lambda: self.ask("GET", path).json["task"]["status"] == "waiting")
        signal = f"/v1/signals/{made['signalToken']}"
        self.ask("POST", signal, {"status": "perhaps"}, 400)
        self.ask("POST", signal, {"status": "completed", "more": [1]})
        self.ask("POST", signal, {"status": "completed"}, 409)
        self.ask("POST", "/v1/signals/nobody", {"status": "completed"}, 404)
        self.assertEqual(self.ask("GET", path).json["task"]["status"], "completed")


class TaskMq(Cases, Described):
    mount = "/taskmq"
    document_path = "/openapi.json"

    def ask_all(self):
        wanted = {"payload": {"n": 1}, "handler": self.endpoint("described"), "scheduled_for": LATER,
                  "interval_seconds": 60}
        once = {"headers": {"Idempotency-Key": "described-taskmq"}}
        job = self.ask("POST", "/add-job", wanted, **once).json["job_id"]
        self.ask("POST", "/add-job", wanted, **once)
        self.ask("POST", "/add-job", {**wanted, "priority": 1}, 422, **once)
        self.ask("POST", "/add-job", {"payload": 1, "priority": "x"}, 422)
        self.ask("POST", "/add-job", b"{", 422)
        self.ask("POST", "/add-job", b"x" * (513 * 1024), 413)
        self.ask("POST", "/add-job", wanted, 403, client=self.client("worker"))
        self.ask("GET", f"/job/{job}")
        self.ask("GET", "/job/999999999", status=404)
        self.ask("POST", "/retry", {"job_id": job}, 409)
        self.ask("POST", "/cancel", {"job_id": job})
        self.ask("POST", "/cancel", {"job_id": job}, 409)
        self.ask("POST", "/cancel", {"job_id": 999999999}, 404)
        self.ask("POST", "/cancel", {}, 422)
        self.ask("GET", f"/job/{job}")
        self.ask("POST", "/retry", {"job_id": job})
        done = self.ask("POST", "/add-job", {"payload": {}, "handler": "described"}).json["job_id"]
        self.wait_until(lambda: self.ask("GET", f"/job/{done}").json["status"] == "SUCCESS")
        for path in ("/health", "/monitor/metrics", "/openapi.json"):
            self.ask("GET", path)


class AsyncJobs(Cases, Described):
    mount = "/asyncjobs"

    def ask_all(self):
        self.queues()
        self.tasks()
        self.schedules()
        for path in ("/v1/info", "/v1/retry-policies", "/v1/openapi.json", "/healthz", "/readyz"):
            self.ask("GET", path)

    def queues(self):
        self.ask("POST", "/v1/queues", {"name": "DESCRIBED", "max_runtime": "30s", "max_concurrent": 42}, 201)
        self.ask("POST", "/v1/queues", {"name": "DESCRIBED"}, 409)
        self.ask("POST", "/v1/queues", {"name": "DEFAULT"}, 400)
        self.ask("POST", "/v1/queues", {"name": "OTHER", "max_age": "long"}, 400)
        self.ask("GET", "/v1/queues")
        self.ask("GET", "/v1/queues/DESCRIBED")
        self.ask("GET", "/v1/queues/nobody", status=404)
        self.ask("POST", "/v1/queues/DESCRIBED/purge", status=202)
        brief = self.ask("POST", "/v1/queues", {"name": "BRIEF"}, 201).json
        self.assert_limits_of_a_queue(brief, (100, 3_600_000_000_000), (100, "1h"))
        self.ask("DELETE", "/v1/queues/BRIEF", status=204)

    def tasks(self):
        wanted = {"type": self.endpoint("described"), "queue": "DESCRIBED", "payload": {"n": 1}, "deadline": LATER,
                  "signature": "ab", "load_dependencies": True}
        once = {"headers": {"Idempotency-Key": "described-asyncjobs"}}
        task = self.ask("POST", "/v1/tasks", wanted, 201, **once).json["id"]
        self.ask("POST", "/v1/tasks", {**wanted, "max_tries": 2}, 200, **once)
        self.ask("POST", "/v1/tasks", {**wanted, "max_tries": 0}, 400)
        self.ask("POST", "/v1/tasks", {**wanted, "nobody": 1}, 400)
        self.ask("POST", "/v1/tasks", {"type": "bad type!"}, 400)
        self.ask("POST", "/v1/tasks", {"type": "a", "queue": "nobody"}, 404)
        self.ask("POST", "/v1/tasks", b"x" * (513 * 1024), 413)
        self.ask("POST", "/v1/tasks", wanted, 403, client=self.client("worker"))
        self.wait_until(lambda: self.ask("GET", f"/v1/tasks/{task}").json["state"] == "complete")
        self.ask("GET", "/v1/tasks/nobody", status=404)
        self.ask("GET", "/v1/tasks?state=new&state=complete&type=described")
        self.ask("GET", "/v1/tasks?stream=ndjson")
        self.ask("GET", "/v1/tasks?limit=0", status=400)
        self.ask("GET", "/v1/tasks?state=nothing", status=400)
        self.ask("POST", f"/v1/tasks/{task}/cancel", status=409)
        blocked = self.ask("POST", "/v1/tasks", {**wanted, "dependencies": [self.waiting()]}, 201).json["id"]
        self.ask("POST", f"/v1/tasks/{blocked}/cancel")
        self.ask("POST", f"/v1/tasks/{task}/retry")
        self.ask("POST", "/v1/tasks/retry", {"ids": [task, "nobody"]})
        self.ask("POST", "/v1/tasks/retry", {"ids": []}, 400)
        self.ask("DELETE", f"/v1/tasks/{blocked}", status=204)

    def waiting(self):
        """A task that does not start by itself."""
        return self.create(queue="described", delay=3600)["id"]

    def schedules(self):
        wanted = {"name": "described", "schedule": "@every 1h", "queue": "DESCRIBED", "task_type": "described",
                  "payload": {"n": 1}, "deadline_offset": "5m"}
        self.ask("POST", "/v1/schedules", wanted, 201)
        self.ask("POST", "/v1/schedules", wanted, 409)
        self.ask("POST", "/v1/schedules", {**wanted, "name": "other", "schedule": "not a cron"}, 400)
        self.ask("POST", "/v1/schedules", {**wanted, "name": "other", "deadline_offset": "wrong"}, 400)
        self.ask("GET", "/v1/schedules?queue=DESCRIBED")
        self.ask("GET", "/v1/schedules/described")
        self.ask("GET", "/v1/schedules/nobody", status=404)
        self.ask("DELETE", "/v1/schedules/described", status=204)


if __name__ == "__main__":
    unittest.main()
