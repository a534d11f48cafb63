"""asyncjobs, row by row."""

import base64
import json
import os
import subprocess
import threading
import unittest
import uuid

from covers import REPO, covers

from harness import BIN, Answer, StackTest


class RowsOfAsyncJobs(StackTest):
    def setUp(self):
        super().setUp()
        self.name = f"Q{uuid.uuid4().hex[:8]}"
        self.type = f"rows-{self.name}"  # one type per test, so that tasks of other tests do not interfere
        self.api.request("PUT", f"/v1/endpoints/{self.type}", {"url": self.receiver.url("/rows")})

    def get(self, path):
        return self.api.get(f"/asyncjobs{path}")

    def post(self, path, body=None, **options):
        return self.api.post(f"/asyncjobs{path}", body, **options)

    def queue(self, **fields):
        reply = self.post("/v1/queues", {"name": self.name, **fields})
        self.assertEqual(reply.status, 201, reply.body)
        return reply.json

    def task(self, **fields):
        reply = self.post("/v1/tasks", {"type": self.type, **fields})
        self.assertEqual(reply.status, 201, reply.body)
        return reply.json

    def reason(self, reply, status):
        self.assertEqual(reply.status, status, reply.body)
        return reply.json["error"]["details"]["reason"]

    @covers("003", "endpoint GET /healthz")
    def test_liveness(self):
        self.assertEqual(self.get("/healthz").json["status"], "ok")

    @covers("003", "endpoint GET /readyz")
    def test_readiness(self):
        ready = self.get("/readyz").json
        self.assertEqual((ready["ready"], ready["checks"]["tasks"], ready["checks"]["config"]),
                         (True, {"ok": True}, {"ok": True}))

    @covers("003", "endpoint GET /v1/openapi.json")
    def test_the_description_is_openapi_3_0_3(self):
        document = self.get("/v1/openapi.json")
        self.assertEqual((document.status, document.json["openapi"]), (200, "3.0.3"))

    @covers("003", "endpoint GET /v1/info")
    def test_info(self):
        info = self.get("/v1/info").json
        self.assertLessEqual({"version", "auth", "queue_count", "task_count"}, set(info))

    @covers("003", "endpoint GET /v1/retry-policies")
    def test_the_four_policies_with_their_intervals(self):
        policies = self.get("/v1/retry-policies").json["policies"]
        self.assertEqual([policy["name"] for policy in policies], ["10m", "1h", "1m", "default"])
        self.assertEqual([len(policy["intervals"]) for policy in policies], [50, 20, 20, 50])
        self.assertEqual(policies[2]["intervals"][:2], [1000000000, 3950000000])

    @covers("003", "endpoint POST /v1/tasks")
    def test_a_task_is_made_once_for_a_key(self):
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        body = {"type": self.type, "payload": {"to": "x@y"}}
        first = self.post("/v1/tasks", body, headers=headers)
        again = self.post("/v1/tasks", {"type": "other"}, headers=headers)
        self.assertEqual((first.status, again.status), (201, 200))
        self.assertEqual(first.json["id"], again.json["id"])
        self.assertEqual(first.headers["Location"], again.headers["Location"])
        self.assertEqual(first.json["state"], "new")
        self.assertEqual(json.loads(base64.b64decode(first.json["payload"])), {"to": "x@y"})

    @covers("003", "endpoint GET /v1/tasks")
    def test_a_list_takes_all_its_filters(self):
        self.queue()
        self.api.post(f"/v1/queues/{self.name}/pause")
        tasks = [self.task(queue=self.name)["id"] for _ in range(3)]
        path = f"/v1/tasks?queue={self.name}&type={self.type}&state=new&state=retry&created_since=2020-01-01"
        found = self.get(path).json
        self.assertEqual(([task["id"] for task in found["tasks"]], found["count"]), (tasks, 3))
        self.assertEqual(self.get(f"{path}&limit=2").json["count"], 2)
        lines = self.get(f"{path}&stream=ndjson")
        self.assertEqual(lines.headers["Content-Type"], "application/x-ndjson")
        self.assertEqual([json.loads(line)["id"] for line in lines.body.splitlines()], tasks)
        self.assertEqual(self.get("/v1/tasks?type=none-of-it").json, {"tasks": [], "count": 0})
        self.assertEqual(self.reason(self.get("/v1/tasks?limit=0"), 400), "limit_invalid")

    @covers("003", "endpoint GET /v1/tasks/{id}")
    def test_one_task(self):
        task = self.task(payload_base64="aGVsbG8=")
        read = self.get(f"/v1/tasks/{task['id']}").json
        self.assertEqual((read["id"], read["payload"]), (task["id"], "aGVsbG8="))
        unknown = self.get("/v1/tasks/24YUZFAAAAAAAAAAAAAAAAAAAAA")
        self.assertEqual(self.reason(unknown, 404), "task_not_found")
        self.assertEqual(unknown.json["error"]["code"], "not_found")

    @covers("003", "endpoint DELETE /v1/tasks/{id}")
    def test_a_task_is_removed_in_any_state(self):
        self.queue()
        self.api.post(f"/v1/queues/{self.name}/pause")
        tasks = {"new": self.task(queue=self.name)["id"], "complete": self.task()["id"]}
        self.wait_until(lambda: self.get(f"/v1/tasks/{tasks['complete']}").json["state"] == "complete")
        answer = threading.Event()
        self.addCleanup(answer.set)
        self.receiver.on("/rows", Answer(until=answer))
        tasks["active"] = self.task()["id"]
        self.receiver.wait_for(lambda _: len(self.receiver.at("/rows")) == 2)
        for state, task in tasks.items():
            self.assertEqual(self.get(f"/v1/tasks/{task}").json["state"], state)
            self.assertEqual(self.api.delete(f"/asyncjobs/v1/tasks/{task}").status, 204, state)
            self.assertEqual(self.get(f"/v1/tasks/{task}").status, 404, state)
            self.assertEqual(self.api.delete(f"/asyncjobs/v1/tasks/{task}").status, 404, state)

    @covers("003", "endpoint POST /v1/tasks/{id}/retry")
    def test_one_task_is_retried(self):
        task = self.task()
        path = f"/v1/tasks/{task['id']}"
        self.wait_until(lambda: self.get(path).json["state"] == "complete")
        self.api.post(f"/v1/endpoints/{self.type}/pause")  # else it may be over when it is read
        self.assertEqual(self.post(f"{path}/retry").json["state"], "retry")
        self.api.post(f"/v1/endpoints/{self.type}/resume")
        self.receiver.wait_for(lambda _: len(self.receiver.at("/rows")) == 2)

    @covers("003", "endpoint POST /v1/tasks/retry")
    def test_many_are_retried_with_a_result_each(self):
        task = self.task()
        self.wait_until(lambda: self.get(f"/v1/tasks/{task['id']}").json["state"] == "complete")
        results = self.post("/v1/tasks/retry", {"ids": [task["id"], "missing-id"]}).json["results"]
        self.assertEqual([(each["id"], each["status"]) for each in results],
                         [(task["id"], "ok"), ("missing-id", "not_found")])
        self.assertEqual(self.reason(self.post("/v1/tasks/retry", {"ids": []}), 400), "ids_required")
        self.assertEqual(self.reason(self.post("/v1/tasks/retry", {"ids": ["x"] * 101}), 400), "ids_too_many")

    @covers("003", "endpoint POST /v1/queues")
    def test_a_queue_is_made_once(self):
        made = self.queue(max_runtime="30s", max_concurrent=42)
        self.assertEqual((made["max_runtime"], made["max_concurrent"], made["max_entries"], made["max_tries"]),
                         (30000000000, 42, -1, -1))
        self.assertEqual(self.reason(self.post("/v1/queues", {"name": self.name}), 409), "queue_already_exists")
        self.assertEqual(self.reason(self.post("/v1/queues", {"name": "DEFAULT"}), 400), "default_queue_disallowed")
        self.assertEqual(self.reason(self.post("/v1/queues", {"name": "X", "max_age": "not-a-duration"}), 400),
                         "invalid_duration")

    @covers("003", "endpoint GET /v1/queues")
    def test_queues_are_listed_without_what_stores_them(self):
        self.queue()
        queues = self.get("/v1/queues").json["queues"]
        self.assertIn(self.name, [queue["name"] for queue in queues])
        for queue in queues:
            self.assertFalse({"stream_info", "consumer_info"} & set(queue))

    @covers("003", "endpoint GET /v1/queues/{name}")
    def test_one_queue(self):
        self.queue()
        queue = self.get(f"/v1/queues/{self.name}").json
        self.assertEqual((queue["max_runtime"], queue["max_concurrent"]), (3600000000000, 100))
        self.assertEqual(self.reason(self.get("/v1/queues/nothing"), 404), "queue_not_found")

    @covers("003", "endpoint DELETE /v1/queues/{name}")
    def test_a_queue_is_deleted_with_what_is_in_it(self):
        self.queue()
        self.api.post(f"/v1/queues/{self.name}/pause")
        task = self.task(queue=self.name)
        self.assertEqual(self.api.delete(f"/asyncjobs/v1/queues/{self.name}").status, 204)
        self.assertEqual(self.get(f"/v1/tasks/{task['id']}").json["state"], "queue_error")
        self.assertEqual(self.api.delete(f"/asyncjobs/v1/queues/{self.name}").status, 404)

    @covers("003", "endpoint POST /v1/queues/{name}/purge")
    def test_a_queue_is_emptied(self):
        self.queue()
        self.api.post(f"/v1/queues/{self.name}/pause")
        task = self.task(queue=self.name)
        self.assertEqual(self.post(f"/v1/queues/{self.name}/purge").status, 202)
        self.assertEqual(self.get(f"/v1/tasks/{task['id']}").json["state"], "queue_error")
        self.assertEqual(self.reason(self.post("/v1/queues/nothing/purge"), 404), "queue_not_found")

    def schedule(self, **fields):
        return self.post("/v1/schedules", {"name": self.name, "schedule": "@every 1h", "queue": "EMAIL",
                                           "task_type": self.type, **fields})

    @covers("003", "endpoint POST /v1/schedules")
    def test_a_schedule_is_made(self):
        self.assertEqual(self.schedule(deadline_offset="5m").json["deadline"], 300000000000)
        self.assertEqual(self.reason(self.schedule(), 409), "schedule_already_exists")
        self.name = "other"
        self.assertEqual(self.reason(self.schedule(schedule="not a cron"), 400), "schedule_invalid")
        self.assertEqual(self.reason(self.schedule(deadline_offset="wrong"), 400), "invalid_duration")

    @covers("003", "endpoint GET /v1/schedules", "endpoint GET /v1/schedules/{name}")
    def test_schedules_are_read(self):
        self.schedule(payload={"a": 1})
        read = self.get(f"/v1/schedules/{self.name}").json
        self.assertEqual((read["schedule"], read["task_type"], json.loads(base64.b64decode(read["payload"]))),
                         ("@every 1h", self.type, {"a": 1}))
        self.assertIn(self.name, [each["name"] for each in self.get("/v1/schedules").json["schedules"]])
        self.assertEqual(self.reason(self.get("/v1/schedules/nothing"), 404), "schedule_not_found")

    @covers("003", "endpoint DELETE /v1/schedules/{name}")
    def test_a_schedule_is_removed(self):
        self.schedule()
        self.assertEqual(self.api.delete(f"/asyncjobs/v1/schedules/{self.name}").status, 204)
        self.assertEqual(self.get(f"/v1/schedules/{self.name}").status, 404)

    @covers("003", "flag --queue")
    def test_a_task_without_a_queue_goes_to_that_of_the_setting(self):
        self.assertEqual(self.task()["queue"], "asyncjobs")

    @covers("003", "flag --max-body")
    def test_a_body_over_half_a_megabyte_is_too_large(self):
        reply = self.post("/v1/tasks", {"type": self.type, "payload": "x" * (512 * 1024)})
        self.assertEqual((reply.status, reply.json["error"]["code"]), (413, "payload_too_large"))

    @covers("003", "flag --tls-cert, --tls-key")
    def test_nginx_terminates_tls(self):
        reply = self.client("read", self.stack.tls_url).get("/asyncjobs/v1/info")
        self.assertEqual(reply.status, 200)

    @covers("003", "flag --read-timeout", "flag --write-timeout")
    def test_nginx_ends_requests_that_take_too_long(self):
        conf = "".join((REPO / "nginx" / name).read_text() for name in ("location.conf", "handler.conf"))
        for setting in ("client_body_timeout", "fastcgi_send_timeout", "fastcgi_read_timeout"):
            self.assertRegex(conf, rf"\b{setting} +\d+s;")


class FlagsOfTheServer(unittest.TestCase):
    def start(self, *arguments):
        environment = {**os.environ, "POSTERN_DATABASE": "host=/nowhere"}
        return subprocess.run([BIN / "postern-fcgi", *arguments], env=environment, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=20)

    @covers("003", "flag --bind")
    def test_the_address_to_listen_at(self):
        self.assertEqual(self.start("--listen", "127.0.0.1:8080", "--check-config").returncode, 0)
        self.assertIn("loopback", self.start("--listen", "0.0.0.0:8080", "--check-config").stderr)

    @covers("003", "flag --unsafe-bind")
    def test_an_address_for_all_must_be_wanted(self):
        done = self.start("--listen", "0.0.0.0:8080", "--unsafe-bind", "--check-config")
        self.assertEqual(done.returncode, 0, done.stderr)

    @covers("003", "flag --allow-create-default")
    def test_the_default_queue_must_be_wanted(self):
        self.assertEqual(self.start("--allow-create-default", "--check-config").returncode, 0)

    @covers("003", "flag --tls-client-ca")
    def test_nginx_can_ask_for_client_certificates(self):
        self.assertIn("ssl_verify_client", (REPO / "nginx/README.md").read_text())
