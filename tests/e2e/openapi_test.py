"""Checks the API descriptions with external tools, and compares the native one with the server's answers;
openapi_dialects_test.py does so with the others."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import urllib.parse

from described import Described, as_json_schema, examples, faults
from harness import Answer, StackTest

HERE = pathlib.Path(__file__).parent
SOURCES = HERE.parents[1] / "fcgi/openapi"
DOCUMENTS = {"native.json": "/v1/openapi.json", "asyncqueue.json": "/asyncqueue/v1/openapi.json",
             "taskmq.json": "/taskmq/openapi.json", "asyncjobs.json": "/asyncjobs/v1/openapi.json"}
MODULES = pathlib.Path(os.environ.get("NODE_PATH", pathlib.Path(__file__).parents[2] / "build/node/node_modules"))
# The tools must not access the network.
QUIET = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "CI": "true",
         "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
SAMPLE = """\
import type { components, paths } from "./native.json";
type Task = components["schemas"]["Task"];
type Schedule = components["schemas"]["ScheduleCreateRequest"];
export const nightly: Schedule = { name: "nightly", queue: "reports", schedule: "@daily", endpoint: "mail" };
// @ts-expect-error: a schedule needs a queue.
export const nowhere: Schedule = { name: "nightly", schedule: "@daily" };
const wanted: paths["/v1/tasks"]["post"]["requestBody"]["content"]["application/json"] =
  { queue: "emails", webhook_url: "https://a.example/", priority: 8, retry_policy: { intervals: [1, 2] } };
export const shown = (task: Task): string => `${task.id} ${task.status} ${wanted.queue}`;
"""


class Tools(StackTest):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, path in DOCUMENTS.items():
            (self.folder / name).write_bytes(self.api.get(path).body)

    def run_tool(self, name, *arguments):
        done = subprocess.run([MODULES / ".bin" / name, *arguments], cwd=self.folder, env=QUIET, text=True,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_the_linter_finds_nothing(self):
        said = self.run_tool("redocly", "lint", "--config", HERE / "redocly.yaml", *DOCUMENTS)
        self.assertNotIn("warning", said.lower())

    def test_types_are_made_without_a_warning_and_a_program_compiles_with_them(self):
        for name in DOCUMENTS:
            said = self.run_tool("openapi-typescript", name, "-o", f"{name}.ts", "--default-non-nullable=false")
            self.assertNotIn("warn", said.lower(), name)
        (self.folder / "sample.ts").write_text(SAMPLE)
        self.run_tool("tsc", "--noEmit", "--strict", "sample.ts", *(f"{name}.ts" for name in DOCUMENTS))

    def test_examples_fit_their_schemas(self):
        for name in DOCUMENTS:
            document = as_json_schema(json.loads((self.folder / name).read_text()), closed=True)
            found = list(examples(document))
            for schema, example in found:
                self.assertEqual(faults(document, schema, example), [], example)
            bodies = [operation["requestBody"] for methods in document["paths"].values()
                      for operation in methods.values()
                      if "application/json" in operation.get("requestBody", {}).get("content", {})]
            self.assertTrue(all("example" in body["content"]["application/json"] for body in bodies), name)
            self.assertGreater(len(found), len(bodies), name)

    def test_the_documents_contain_everything_of_their_parts(self):
        def says(served, part, path):
            for key, value in part.items():
                if isinstance(value, dict):
                    says(served[key], value, f"{path}/{key}")
                elif key not in ("servers", "parts"):
                    self.assertEqual(served[key], value, f"{path}/{key}")

        for name, path in DOCUMENTS.items():
            served = json.loads((self.folder / name).read_text())
            parts = list((SOURCES / name.removesuffix(".json")).glob("*.json"))
            self.assertGreater(len(parts), 1, name)
            for part in parts:
                says(served, json.loads(part.read_text()), part)
            mount = path.removesuffix("/openapi.json").removesuffix("/v1")
            self.assertEqual(served["servers"][0]["url"], mount or "/")

    def test_taskmq_has_its_description_where_fastapi_has_it(self):
        at_root, mounted = self.api.get("/openapi.json").json, self.api.get("/taskmq/openapi.json").json
        self.assertEqual(at_root["servers"][0]["url"], "/")
        self.assertEqual(at_root | {"servers": []}, mounted | {"servers": []})


class Answers(Described):
    """Every route once with success, and the errors that are cheap to provoke; every answer must fit its
    description."""

    def setUp(self):
        super().setUp()
        name = f"answers-{os.urandom(4).hex()}"
        self.api.key = self.stack.postern("key", "create", "--name", name, "--role", "operator")["key"]

    def operations(self):
        """Each operation as (method, its path with a name that does not exist, the operation, its example body)."""
        for template, methods in self.document["paths"].items():
            path = template.replace("{name}", "nobody").replace("{id}", "nobody")
            for method, operation in methods.items():
                media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                yield method.upper(), path, operation, media.get("example")

    def test_every_route_but_the_open_ones_needs_a_key(self):
        for method, path, operation, body in self.operations():
            if "security" not in operation:
                self.ask(method, path, body, 401, client=self.client())

    def test_a_reader_changes_nothing(self):
        for method, path, operation, body in self.operations():
            looks = method == "GET" or path.endswith("/preview")
            if not looks and "security" not in operation:
                self.ask(method, path, body, 403, client=self.client("read"))

    def test_every_route_reports_unknown_names(self):
        for method, path, operation, body in self.operations():
            if path.endswith(("/complete", "/fail", "/heartbeat")):
                self.ask(method, f"{path}?token=wrong", body, 403)
            elif "nobody" in path and method != "PUT":
                self.ask(method, path, body, 404)

    def test_bodies_that_are_no_object_or_have_unknown_fields_are_refused(self):
        for method, path, operation, body in self.operations():
            if body is not None and method != "PATCH":  # PATCH looks for the object first
                self.ask(method, f"{path}?token=wrong" if "security" in operation else path, [], 400)
                self.ask(method, path, {**body, "nobody": 1}, 400)

    def test_unknown_operations_have_the_same_envelope(self):
        for method, path, status in (("PUT", "/v1/tasks", 405), ("TRACE", "/v1/tasks", 405),
                                     ("GET", "/v1/nothing", 404), ("GET", "/nothing", 404),
                                     ("GET", "/v1/tasks?limit=" + 11_000 * "1", 414)):
            self.ask_other(method, path, status)

    def test_a_body_that_is_too_large_is_refused(self):
        self.ask("POST", "/v1/tasks", b"x" * (513 * 1024), 413)

    def test_every_route(self):
        self.tasks()
        self.deferred()
        self.queues()
        self.endpoints()
        self.schedules()
        self.keys_and_tenants()
        self.ask("GET", "/v1/stats/series?queue=nobody", status=404)
        self.ask("GET", "/v1/stats/series?minutes=0", status=400)
        self.ask("GET", "/v1/failures?reason=nobody", status=400)
        for path in ("/v1/retry-policies", "/v1/stats", "/v1/stats/series", "/v1/stats/series?by=queue", "/v1/failures",
                     "/v1/health", "/v1/info", "/v1/whoami", "/v1/openapi.json", "/metrics", "/monitor/metrics", "/healthz", "/readyz"):
            self.ask("GET", path)
        every = {(path, method) for path, methods in self.document["paths"].items() for method in methods}
        self.assertEqual(self.seen, every)

    def keys_and_tenants(self):
        wanted = {"name": "described", "role": "worker", "expires_at": "2090-01-01T00:00:00Z"}
        self.ask("POST", "/v1/keys", wanted, 201)
        self.ask("POST", "/v1/keys", wanted, 409)
        self.ask("POST", "/v1/keys", {**wanted, "name": "a/b"}, 400)
        self.ask("POST", "/v1/keys", {**wanted, "role": "operator"}, 403)
        self.ask("GET", "/v1/keys")
        self.ask("POST", "/v1/keys/described/revoke")
        self.ask("POST", "/v1/keys/nobody/revoke", status=404)
        self.ask("POST", "/v1/tenants", {"name": "described"}, 201)
        self.ask("POST", "/v1/tenants", {"name": "described"}, 409)
        self.ask("POST", "/v1/tenants", {"name": "Described"}, 400)
        self.ask("GET", "/v1/tenants?limit=1")
        self.ask("GET", "/v1/tenants?limit=0", status=400)
        self.ask("GET", "/v1/tenants", status=403, client=self.client("admin"))
        self.ask("GET", "/v1/whoami", client=self.client())

    def tasks(self):
        wanted = {"queue": "described", "webhook_url": self.receiver.url("/ok"), "delay": 3600,
                  "payload": {"n": 1}, "tags": ["a"], "headers": {"X-One": "1"}, "deadline": "2090-01-01T00:00:00Z",
                  "retry_policy": {"intervals": [1]}, "on_complete_url": self.receiver.url("/done")}
        task = self.ask("POST", "/v1/tasks", wanted, 201).json["id"]
        self.ask("POST", "/v1/tasks", wanted, 201, headers={"Idempotency-Key": "described"})
        self.ask("POST", "/v1/tasks", wanted, 200, headers={"Idempotency-Key": "described"})
        self.ask("POST", "/v1/tasks", {**wanted, "priority": 1}, 422, headers={"Idempotency-Key": "described"})
        self.ask("POST", "/v1/tasks", {**wanted, "priority": 11}, 400)
        self.ask("POST", "/v1/tasks", {"queue": "described", "endpoint": "nobody"}, 404)
        self.ask("POST", "/v1/tasks", wanted, 401, client=self.client())
        self.ask("POST", "/v1/tasks", wanted, 403, client=self.client("read"))
        self.ask("GET", "/v1/tasks?queue=described&limit=2")
        self.ask("GET", "/v1/tasks?stream=ndjson")
        self.ask("GET", "/v1/tasks?limit=0", status=400)
        self.ask("GET", "/v1/tasks?status=nobody", status=400)
        self.ask("GET", "/v1/tasks?reason=exhausted")
        self.ask("GET", "/v1/tasks?reason=nobody", status=400)
        self.ask("GET", "/v1/tasks?queue=a&queue=b", status=400)
        self.ask("GET", f"/v1/tasks/{task}")
        self.ask("GET", "/v1/tasks/nobody", status=404)
        self.ask("PATCH", f"/v1/tasks/{task}", {"priority": 9})
        self.ask("PATCH", f"/v1/tasks/{task}", {}, 400)
        self.ask("POST", f"/v1/tasks/{task}/retry", status=409)
        self.ask("POST", f"/v1/tasks/{task}/run")
        self.assertEqual(self.finished({"id": task})["status"], "completed")
        self.ask("GET", f"/v1/tasks/{task}")
        self.ask("POST", f"/v1/tasks/{task}/cancel", status=409)
        self.ask("POST", f"/v1/tasks/{task}/retry")
        for verb, expected in (("cancel", 200), ("retry", 200)):
            other = self.create(queue="described", delay=3600)["id"]
            self.ask("POST", f"/v1/tasks/{other}/cancel")
            self.ask("POST", f"/v1/tasks/{verb}", {"ids": [other, "nobody"]}, expected)
        self.ask("POST", "/v1/tasks/cancel", {"filter": {"queue": "described", "tag": "none"}})
        self.ask("POST", "/v1/tasks/cancel", {}, 400)
        self.ask("DELETE", f"/v1/tasks/{self.create(delay=3600)['id']}", status=204)
        self.ask("POST", "/v1/tasks/batch", {"tasks": [wanted, {"queue": "a b"}]})
        self.ask("POST", "/v1/tasks/batch?atomic=true", {"tasks": [wanted, {"queue": "a b"}]}, 400)

    def deferred(self):
        self.receiver.on("/later", Answer(202, headers={"Postern-Defer": "60"}))
        links = []
        for _ in range(2):
            self.create(webhook_url=self.receiver.url("/later"))
        self.receiver.wait_for(lambda requests: len([r for r in requests if r.path == "/later"]) == 2)
        for request in self.receiver.at("/later"):
            parts = urllib.parse.urlsplit(request.headers["Postern-Complete-Url"])
            links.append((parts.path, parts.query))
        (done, token), (failed, other) = links
        self.ask("POST", f"{done.replace('/complete', '/heartbeat')}?{token}", {"seconds": 120})
        self.ask("POST", f"{done}?token=wrong", status=403)
        self.ask("POST", f"{done}?{token}", {"ok": True})
        self.ask("POST", f"{done}?{token}", status=409)
        self.ask("POST", f"{failed.replace('/complete', '/fail')}?{other}", {"error": "no", "retry": False})

    def queues(self):
        self.ask("POST", "/v1/queues", {"name": "q", "max_concurrent": 2,
                                         "rate_limit": {"count": 5, "period_seconds": 1}}, 201)
        self.ask("POST", "/v1/queues", {"name": "q"}, 409)
        self.ask("POST", "/v1/queues", {"name": "q", "max_age": 5}, 400)
        self.ask("GET", "/v1/queues")
        self.ask("GET", "/v1/queues/q")
        self.ask("GET", "/v1/queues/nobody", status=404)
        self.ask("PUT", "/v1/queues/q", {"max_retries": 1})
        bare = self.ask("PUT", "/v1/queues/q2", {"max_retries": 1}, 201).json
        self.assert_limits_of_a_queue(bare, (-1, 0), (None, None))
        self.ask("PATCH", "/v1/queues/q", {"rate_limit": None, "max_age": "1h"})
        for verb in ("pause", "resume"):
            self.ask("POST", f"/v1/queues/q/{verb}")
        self.ask("GET", "/v1/queues/q/stats")
        self.create(queue="q", delay=3600)
        self.ask("DELETE", "/v1/queues/q", status=409)
        self.ask("DELETE", "/v1/queues/q?force=maybe", status=400)
        self.ask("POST", "/v1/queues/q/purge", status=202)
        limits = {"max_runtime": "30s", "max_age": "24h", "max_entries": 1, "discard_old": False, "max_tries": 5,
                  "retention": {"failed": "short"}, "retry_policy": {"intervals": [1]}, "max_retries": 1,
                  "timeout_seconds": 5, "endpoint": "mail"}
        self.ask("POST", "/v1/queues", {"name": "full", **limits}, 201)
        self.ask("PATCH", "/v1/queues/full", dict.fromkeys(limits) | {"max_entries": 1})
        self.create(queue="full", delay=3600)
        self.ask("POST", "/v1/tasks", {"queue": "full", "webhook_url": self.receiver.url("/ok")}, 409)
        self.ask("POST", "/v1/queues", {"name": "DEFAULT"}, 400)
        self.ask("DELETE", "/v1/queues/q", status=204)

    def endpoints(self):
        self.ask("POST", "/v1/endpoints", {"name": "e", "url": self.receiver.url("/e"), "max_in_flight": 3}, 201)
        self.ask("POST", "/v1/endpoints", {"name": "e", "url": self.receiver.url("/e")}, 409)
        self.ask("POST", "/v1/endpoints", {"name": "e"}, 400)
        self.ask("GET", "/v1/endpoints")
        self.ask("GET", "/v1/endpoints/e")
        self.ask("GET", "/v1/endpoints/nobody", status=404)
        self.ask("PUT", "/v1/endpoints/e", {"url": self.receiver.url("/e")})
        self.ask("PUT", "/v1/endpoints/e2", {"url": self.receiver.url("/e")}, 201)
        self.ask("PATCH", "/v1/endpoints/e", {"rate_limit": {"count": 10, "period_seconds": 1}})
        self.ask("POST", "/v1/endpoints/e/rotate")
        self.ask("PATCH", "/v1/endpoints/e", {"headers": {"X-One": "1"}, "timeout_seconds": 5,
                                                "max_in_flight": 7, "paused": False})
        self.ask("PATCH", "/v1/endpoints/e", {"name": "other"}, 400)
        self.ask("POST", "/v1/endpoints", {"name": "*", "url": self.receiver.url("/any")}, 201)
        self.ask("GET", "/v1/endpoints?limit=1")
        self.ask("GET", "/v1/endpoints?limit=0", status=400)
        self.ask("POST", "/v1/endpoints/e/rotate", status=409)
        self.ask("POST", "/v1/endpoints/e/test", status=201)
        self.ask("POST", "/v1/endpoints/e/test", {}, 201, headers={"Idempotency-Key": "tested"})
        self.ask("POST", "/v1/endpoints/e/test", {}, 200, headers={"Idempotency-Key": "tested"})
        self.ask("POST", "/v1/endpoints/e/test", {"queue": "q"}, 422, headers={"Idempotency-Key": "tested"})
        for verb in ("pause", "resume"):
            self.ask("POST", f"/v1/endpoints/e/{verb}")
            if verb == "pause":
                self.ask("POST", "/v1/endpoints/e/test", status=409)
        self.ask("POST", "/v1/endpoints/e/recover", {}, 400)
        self.ask("POST", "/v1/endpoints/e/recover", {"since": "2025-01-01T00:00:00Z"})
        self.ask("DELETE", "/v1/endpoints/e", status=204)

    def schedules(self):
        wanted = {"schedule": "0 8 * * *", "queue": "s", "webhook_url": self.receiver.url("/s"), "payload": {"n": 1}}
        self.ask("POST", "/v1/schedules", {"name": "s", **wanted}, 201)
        self.ask("POST", "/v1/schedules", {"name": "s", **wanted}, 409)
        self.ask("POST", "/v1/schedules", {"name": "x", **wanted, "schedule": "61 * * * *"}, 400)
        self.ask("GET", "/v1/schedules")
        self.ask("GET", "/v1/schedules/s")
        self.ask("GET", "/v1/schedules/nobody", status=404)
        self.ask("PUT", "/v1/schedules/s", wanted)
        self.ask("PUT", "/v1/schedules/s2", wanted, 201)
        self.ask("PATCH", "/v1/schedules/s", {"jitter_seconds": 5})
        for verb in ("pause", "resume"):
            self.ask("POST", f"/v1/schedules/s/{verb}")
        self.ask("POST", "/v1/schedules/s/trigger", status=201)
        whole = {"priority": 7, "max_retries": 2, "retry_policy": {"intervals": [1, 2]}, "timeout": 9,
                 "tags": ["a"], "key": "k", "headers": {"X-One": "1"}, "method": "PUT", "misfire": "all",
                 "on_complete_url": wanted["webhook_url"],
                 "on_failure_url": wanted["webhook_url"], "overlap": "skip", "deadline_offset": "5m",
                 "timezone": "Europe/Berlin",
                 "starts_at": "2090-01-01T00:00:00Z", "ends_at": "2091-01-01T00:00:00Z", "misfire_limit": 3,
                 "misfire_window_seconds": 60, "jitter_seconds": 5, "paused": True}
        self.ask("POST", "/v1/schedules", {"name": "whole", **wanted, **whole}, 201)
        raw = {key: value for key, value in wanted.items() if key not in ("payload", "schedule")}
        self.ask("POST", "/v1/schedules", {"name": "raw", **raw, "interval_seconds": 90, "payload_base64": "gIGC",
                                           "content_type": "image/png"}, 201)
        typed = {"name": "typed", "schedule": "@daily", "queue": "s", "task_type": "mail", "payload": [1, "two"]}
        self.ask("POST", "/v1/schedules", typed, 201)
        self.ask("POST", "/v1/schedules", {**typed, "name": "x", "interval_seconds": 5}, 400)
        self.ask("GET", "/v1/schedules?limit=1")
        self.ask("GET", "/v1/schedules?limit=0", status=400)
        self.ask("GET", "/v1/schedules/s/next?n=0", status=400)
        self.ask("GET", "/v1/schedules/s/runs?cursor=x", status=400)
        self.ask("GET", "/v1/schedules/s/next?n=3")
        self.ask("GET", "/v1/schedules/s/runs")
        self.ask("POST", "/v1/schedules/preview", {"schedule": "0 8 * * *", "timezone": "Europe/Berlin", "count": 2})
        self.ask("POST", "/v1/schedules/preview", {"interval_seconds": 90, "starts_at": "2090-01-01T00:00:00Z"})
        self.ask("POST", "/v1/schedules/preview", {"schedule": "61 * * * *"}, 400)
        self.ask("DELETE", "/v1/schedules/s", status=204)


if __name__ == "__main__":
    unittest.main()
