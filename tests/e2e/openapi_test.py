"""The API's description: judged by other people's tools, and held against what the server answers."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest
import urllib.parse

import jsonschema

from harness import Answer, StackTest

MODULES = pathlib.Path(os.environ.get("NODE_PATH", pathlib.Path(__file__).parents[2] / "build/node/node_modules"))
# None of the tools may reach out.
QUIET = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "CI": "true",
         "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
SAMPLE = """\
import type { components, paths } from "./types";
type Task = components["schemas"]["Task"];
const wanted: paths["/v1/tasks"]["post"]["requestBody"]["content"]["application/json"] =
  { queue: "emails", webhook_url: "https://a.example/", priority: 8, retry_policy: { intervals: [1, 2] } };
export const shown = (task: Task): string => `${task.id} ${task.status} ${wanted.queue}`;
"""


def as_json_schema(node):
    """OpenAPI 3.0's nullable in the words of JSON Schema."""
    if isinstance(node, list):
        return [as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: as_json_schema(value) for key, value in node.items()}
    if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
        return {"anyOf": [node, {"type": "null"}]}
    return node


class Tools(StackTest):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "openapi.json").write_bytes(self.api.get("/v1/openapi.json").body)

    def run_tool(self, name, *arguments):
        done = subprocess.run([MODULES / ".bin" / name, *arguments], cwd=self.folder, env=QUIET, text=True,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_the_linter_finds_nothing(self):
        said = self.run_tool("redocly", "lint", "openapi.json")
        self.assertNotIn("warning", said.lower())

    def test_types_are_made_without_a_warning_and_a_program_compiles_with_them(self):
        said = self.run_tool("openapi-typescript", "openapi.json", "-o", "types.ts", "--default-non-nullable=false")
        self.assertNotIn("warn", said.lower())
        (self.folder / "sample.ts").write_text(SAMPLE)
        self.run_tool("tsc", "--noEmit", "--strict", "sample.ts")

    def test_examples_fit_their_schemas(self):
        document = as_json_schema(json.loads((self.folder / "openapi.json").read_text()))
        resolver = jsonschema.RefResolver("", document)
        found = 0
        for methods in document["paths"].values():
            for operation in methods.values():
                for media in operation.get("requestBody", {}).get("content", {}).values():
                    if "example" in media:
                        jsonschema.Draft7Validator(media["schema"], resolver=resolver).validate(media["example"])
                        found += 1
        self.assertGreaterEqual(found, 4)


class Answers(StackTest):
    """Each route once with success, and the errors that are cheap to provoke: every answer fits its description."""

    def setUp(self):
        super().setUp()
        self.document = as_json_schema(self.api.get("/v1/openapi.json").json)
        self.resolver = jsonschema.RefResolver("", self.document)
        self.patterns = sorted(
            ((re.compile("^" + re.sub(r"\{\w+\}", "[^/]+", path) + "$"), path) for path in self.document["paths"]),
            key=lambda pair: pair[1].count("{"))
        self.seen = set()

    def ask(self, method, path, body=None, status=200, **options):
        reply = (options.pop("client", None) or self.api).request(method, path, body, **options)
        self.assertEqual(reply.status, status, (method, path, reply.body))
        plain = urllib.parse.urlsplit(path).path
        template = next(template for pattern, template in self.patterns if pattern.match(plain))
        described = self.document["paths"][template][method.lower()]["responses"]
        self.assertIn(str(status), described, (method, template))
        answer = described[str(status)]
        if "$ref" in answer:
            answer = self.document["components"]["responses"][answer["$ref"].split("/")[-1]]
        if reply.body and "json" in reply.headers["Content-Type"] and "ndjson" not in reply.headers["Content-Type"]:
            schema = answer["content"]["application/json"]["schema"]
            errors = list(jsonschema.Draft7Validator(schema, resolver=self.resolver).iter_errors(reply.json))
            self.assertFalse(errors, (method, path, [error.message for error in errors], reply.body))
        for header in answer.get("headers", {}):
            self.assertIn(header, reply.headers, (method, path))
        if status < 300:
            self.seen.add((template, method.lower()))
        return reply

    def test_every_route(self):
        self.tasks()
        self.deferred()
        self.queues()
        self.endpoints()
        self.schedules()
        for path in ("/v1/retry-policies", "/v1/stats", "/v1/info", "/v1/openapi.json", "/metrics", "/monitor/metrics",
                     "/healthz", "/readyz"):
            self.ask("GET", path)
        every = {(path, method) for path, methods in self.document["paths"].items() for method in methods}
        self.assertEqual(self.seen, every)

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
        self.ask("POST", "/v1/queues", {"name": "q", "max_concurrent": 2, "rate_limit": {"count": 5, "period_seconds": 1}}, 201)
        self.ask("POST", "/v1/queues", {"name": "q"}, 409)
        self.ask("POST", "/v1/queues", {"name": "q", "max_age": 5}, 400)
        self.ask("GET", "/v1/queues")
        self.ask("GET", "/v1/queues/q")
        self.ask("GET", "/v1/queues/nobody", status=404)
        self.ask("PUT", "/v1/queues/q", {"max_retries": 1})
        self.ask("PUT", "/v1/queues/q2", {"max_retries": 1}, 201)
        self.ask("PATCH", "/v1/queues/q", {"rate_limit": None, "max_age": "1h"})
        for verb in ("pause", "resume"):
            self.ask("POST", f"/v1/queues/q/{verb}")
        self.ask("GET", "/v1/queues/q/stats")
        self.create(queue="q", delay=3600)
        self.ask("DELETE", "/v1/queues/q", status=409)
        self.ask("POST", "/v1/queues/q/purge", status=202)
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
        self.ask("POST", "/v1/endpoints/e/rotate", status=409)
        self.ask("POST", "/v1/endpoints/e/test", status=201)
        for verb in ("pause", "resume"):
            self.ask("POST", f"/v1/endpoints/e/{verb}")
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
        self.ask("GET", "/v1/schedules/s/next?n=3")
        self.ask("GET", "/v1/schedules/s/runs")
        self.ask("DELETE", "/v1/schedules/s", status=204)


if __name__ == "__main__":
    unittest.main()
