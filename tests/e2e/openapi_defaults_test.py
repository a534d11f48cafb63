#!/usr/bin/python3
"""What a description calls a default is taken when it is sent, and comes to the same as leaving it out."""

import copy
import itertools
import unittest
import urllib.parse

from harness import Answer, StackTest
from speakers import LATER

DOCUMENTS = {"native": ("", "/v1/openapi.json"), "asyncqueue": ("/asyncqueue", "/v1/openapi.json"),
             "taskmq": ("/taskmq", "/openapi.json"), "asyncjobs": ("/asyncjobs", "/v1/openapi.json")}
# What differs between two things of the same kind.
OWN = {"id", "job_id", "name", "task_id", "created", "created_at", "createdAt", "updated_at", "updatedAt", "next_at", "run_at",
       "next_attempt_at", "scheduled_for", "scheduledFor", "webhook-id", "nextAttemptAt", "time"}


def without_own(value):
    if isinstance(value, list):
        return [without_own(each) for each in value]
    if isinstance(value, dict):
        return {key: without_own(each) for key, each in value.items() if key not in OWN}
    return value


def paths_of_defaults(document, schema):
    """The keys that lead to each property with a default, and the default."""
    if "$ref" in schema:
        _, _, kind, name = schema["$ref"].split("/")
        schema = document["components"][kind][name]
    for part in schema.get("allOf", []):
        yield from paths_of_defaults(document, part)
    for name, value in schema.get("properties", {}).items():
        if "default" in value:
            yield (name,), value["default"]
        yield from (((name, *keys), default) for keys, default in paths_of_defaults(document, value))


def with_value(body, keys, value):
    body = copy.deepcopy(body)
    inner = body
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
    inner[keys[-1]] = value
    return body


class Defaults(StackTest):
    settings = {"POSTERN_ASYNCJOBS_QUEUE": "jobs"}

    def setUp(self):
        super().setUp()
        self.counter = itertools.count()
        self.hook = self.receiver.url("/ok")
        for path, body in (("/v1/endpoints/mail", {"url": self.hook}), ("/v1/queues/jobs", {})):
            self.assertIn(self.api.request("PUT", path, body).status, (200, 201))

    def bodies(self, operation):
        """The smallest bodies of an operation, of each kind for which a default may mean something else."""
        daily = {"queue": "q", "schedule": "@daily"}
        return {
            "native createTask": [{"queue": "q", "webhook_url": self.hook, "delay": 3600},
                                  {"queue": "q", "endpoint": "mail", "run_at": LATER}],
            "native createQueue": [{"name": "new"}],
            "native createKey": [{"name": "new", "role": "read"}],
            "native putQueue": [{}],
            "native createEndpoint": [{"name": "new", "url": self.hook}],
            "native putEndpoint": [{"url": self.hook}],
            "native createSchedule": [{"name": "new", **daily, "webhook_url": self.hook},
                                      {"name": "new", **daily, "endpoint": "mail"},
                                      {"name": "new", **daily, "task_type": "mail"},
                                      {"name": "new", "queue": "q", "endpoint": "mail",
                                       "schedule": "TZ=Europe/Berlin @daily"}],
            "native previewSchedule": [{"schedule": "0 0 1 1 *"}],
            "native putSchedule": [{**daily, "endpoint": "mail"}, {**daily, "task_type": "mail"}],
            "native testEndpoint": [{}],
            "native recoverEndpoint": [{"since": LATER}],
            "native failTask": [{"error": "no"}],
            "native cancelTasks": [{"filter": {"queue": "none"}}, {"ids": ["none"]}],
            "native retryTasks": [{"filter": {"queue": "none"}}, {"ids": ["none"]}],
            "asyncqueue createTask": [{"targetUrl": self.hook, "delayUntil": LATER},
                                      {"targetUrl": self.hook, "delayUntil": LATER, "timeout": 100},
                                      {"targetUrl": self.hook, "delayUntil": LATER, "maxWaitTime": 100}],
            "taskmq addJob": [{"payload": {}, "handler": "mail", "scheduled_for": LATER}],
            "asyncjobs createTask": [{"type": "mail", "payload": "e30="}],
            "asyncjobs createQueue": [{"name": "new"}],
            "asyncjobs createSchedule": [{"name": "new", **daily, "queue": "jobs", "task_type": "mail"}],
        }[operation]

    def deferred_task(self):
        """The path and the token of an attempt that waits to be told its end."""
        path = f"/later{next(self.counter)}"
        self.receiver.on(path, Answer(202, headers={"Postern-Defer": "60"}))
        self.create(webhook_url=self.receiver.url(path))
        self.receiver.wait_for(lambda _: self.receiver.at(path))
        url = urllib.parse.urlsplit(self.receiver.at(path)[0].headers["Postern-Complete-Url"])
        return f"{url.path.removesuffix('/complete')}/fail?{url.query}"

    def made(self, mount, method, template, body):
        """What comes of a request, as it is shown."""
        name = f"n{next(self.counter)}"
        if "name" in body:
            body = {**body, "name": name}
        path = template.replace("{name}", "mail" if template.endswith(("/test", "/recover")) else name)
        if template.endswith("/fail"):
            path = self.deferred_task()
        reply = self.api.request(method, mount + path, body)
        self.assertIn(reply.status, (200, 201, 202), (method, path, body, reply.body))
        shown = reply.json
        if "run_at" in (body or {}):
            shown.pop("delay", None)  # from when it was made
        if "job_id" in shown:
            shown = self.api.get(f"{mount}/job/{shown['job_id']}").json
        if {"url", "max_in_flight"} & set(shown) or "rate_limit" in shown:
            shown.pop("secret", None)
        if {"role", "revoked_at"} <= set(shown):
            shown.pop("key")  # its text
        return without_own(shown)

    def test_a_default_means_what_absence_means(self):
        tried = 0
        for dialect, (mount, at) in DOCUMENTS.items():
            document = self.api.get(mount + at).json
            for template, methods in document["paths"].items():
                for method, operation in methods.items():
                    media = operation.get("requestBody", {}).get("content", {}).get("application/json")
                    defaults = list(paths_of_defaults(document, media["schema"])) if media else []
                    if defaults:
                        self.assertNotEqual(method, "patch", "what is absent there stays as it is")
                    for body in self.bodies(f"{dialect} {operation['operationId']}") if defaults else []:
                        absent = self.made(mount, method.upper(), template, body)
                        for keys, value in defaults:
                            if keys[0] not in body:
                                sent = self.made(mount, method.upper(), template, with_value(body, keys, value))
                                self.assertEqual(sent, absent, (dialect, template, body, keys))
                                tried += 1
        self.assertGreater(tried, 30)

    def test_a_default_of_a_query_is_taken(self):
        self.api.key = self.stack.postern("key", "create", "--name", "defaults", "--role", "operator")["key"]
        for mount, at in DOCUMENTS.values():
            document = self.api.get(mount + at).json
            for path, methods in document["paths"].items():
                for parameter in methods.get("get", {}).get("parameters", []):
                    default = parameter.get("schema", {}).get("default")
                    if default is not None and "{" not in path:
                        reply = self.api.get(f"{mount}{path}?{parameter['name']}={default}")
                        self.assertEqual(reply.status, 200, (path, parameter, reply.body))
                        # Meanwhile a task may have ended, or a minute.
                        wanted = f"{mount}{path}?{parameter['name']}={default}"
                        self.wait_until(lambda: self.api.get(wanted).body == self.api.get(mount + path).body, what=wanted)


if __name__ == "__main__":
    unittest.main()
