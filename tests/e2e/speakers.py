"""Clients of the four dialects with a common interface.

    speaker = AsyncQueue(test, mount="/asyncqueue")   # or mount="" for /v1, which speaks all of them
    task = speaker.create("/hook", later=True)
    speaker.cancel(task)
"""

import base64
import datetime
import json


# A constant, so that a repeated request has the same body.
LATER = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).isoformat()


class Speaker:
    """The base class, with the behaviour of most dialects; the subclasses override the differences.

    `words` maps the state of a task to the dialect's word for it.
    """

    name = None
    prefix = "/v1"
    created_status = 201
    conflicting_replay = 422
    words = {}

    def __init__(self, test, mount=""):
        self.test, self.mount = test, mount
        self.api = test.api
        self.setup()

    def setup(self):
        """Registers what a client of this dialect needs before it creates tasks."""

    @property
    def tasks(self):
        return f"{self.mount}{self.prefix}/tasks"

    # --- requests, whose replies the caller looks at ---------------------------------------------

    def try_create(self, path="/hook", later=False, once=False, headers=None, **fields):
        """Tries to create a task. `later`: it does not start by itself. `once`: it is not retried."""
        return self.api.post(self.tasks, self.creation(path, later, once) | fields, headers=headers)

    def try_get(self, task_id):
        return self.api.get(f"{self.tasks}/{task_id}")

    def try_cancel(self, task_id):
        return self.api.post(f"{self.tasks}/{task_id}/cancel")

    def try_retry(self, task_id):
        return self.api.post(f"{self.tasks}/{task_id}/retry")

    # --- what must succeed -----------------------------------------------------------------------

    def create(self, *arguments, **fields):
        reply = self.try_create(*arguments, **fields)
        self.test.assertEqual(reply.status, self.created_status, reply.body)
        return self.id_in(reply.json)

    def status(self, task_id):
        reply = self.try_get(task_id)
        self.test.assertEqual(reply.status, 200, reply.body)
        return self.status_in(reply.json)

    def wait_for(self, task_id, what):
        word = self.words[what]
        self.test.wait_until(lambda: self.status(task_id) == word, 30, f"{task_id} is {word}")

    def listed(self):
        """The ids in a list."""
        reply = self.api.get(self.tasks)
        self.test.assertEqual(reply.status, 200, reply.body)
        return [self.id_of(task) for task in reply.json["tasks"]]

    # --- shapes ----------------------------------------------------------------------------------

    def id_in(self, body):
        return self.id_of(body)

    def id_of(self, task):
        return task["id"]

    def status_in(self, body):
        return body["status"]

    def message_in(self, body):
        """The text of an error; fails when the error does not have the dialect's form."""
        self.test.assertEqual(list(body), ["error"])
        self.test.assertLessEqual(set(body["error"]), {"code", "message", "details"})
        return body["error"]["message"]


class Native(Speaker):
    name = "native"
    words = {"pending": "pending", "completed": "completed", "failed": "failed", "cancelled": "cancelled"}
    bad_field = ({"priority": 11}, 400, "priority")

    def creation(self, path, later, once):
        task = {"queue": "conformance", "webhook_url": self.test.receiver.url(path), "payload": {"n": 1}}
        return task | ({"delay": 3600} if later else {}) | ({"max_retries": 0} if once else {})

    def check_webhook(self, request, task_id):
        self.test.assertEqual(request.json, {"task_id": task_id, "queue": "conformance",
                                             "payload": {"n": 1}, "attempt": 1})

    def check_task(self, body):
        self.test.assertTrue(body["id"].startswith("task_"))
        self.test.assertEqual(body["payload"], {"n": 1})


class AsyncQueue(Speaker):
    name = "asyncqueue"
    words = {"pending": "delayed", "completed": "completed", "failed": "failed", "cancelled": "cancelled"}
    bad_field = ({"priority": 11}, 400, "priority")

    def creation(self, path, later, once):
        task = {"targetUrl": self.test.receiver.url(path), "body": '{"n": 1}'}
        return task | ({"delayUntil": LATER} if later else {}) | ({"maxRetries": 0} if once else {})

    def id_in(self, body):
        return body["task"]["id"]

    def status_in(self, body):
        return body["task"]["status"]

    def message_in(self, body):
        self.test.assertEqual(list(body), ["error"])
        self.test.assertIsInstance(body["error"], str)
        return body["error"]

    def check_webhook(self, request, task_id):
        self.test.assertEqual(request.body, b'{"n": 1}')
        self.test.assertEqual(request.headers["X-AsyncQueue-Task-Id"], task_id)
        self.test.assertRegex(request.headers["X-AsyncQueue-Signature"], r"^t=\d+,v1=[0-9a-f]{64}")

    def check_task(self, body):
        self.test.assertRegex(body["task"]["id"], r"^[0-9a-f]{8}-")
        self.test.assertEqual(body["task"]["body"], '{"n": 1}')


class TaskMq(Speaker):
    """TaskMQ's own paths address jobs; at the mount of all dialects these are tasks with numbers as ids."""

    name = "taskmq"
    created_status = 200
    words = {"pending": "PENDING", "completed": "SUCCESS", "failed": "FAILED", "cancelled": "FAILED"}
    bad_field = ({"priority": "high"}, 422, "priority")

    def setup(self):
        self.handlers = {}

    def handler(self, path):
        name = f"conformance{path.replace('/', '_')}"
        reply = self.api.request("PUT", f"/v1/endpoints/{name}", {"url": self.test.receiver.url(path)})
        self.test.assertIn(reply.status, (200, 201), reply.body)
        return name

    def creation(self, path, later, once):
        job = {"payload": {"n": 1}, "handler": self.handler(path)}
        return (job | ({"scheduled_for": LATER} if later else {})
                | ({"retry_policy": "none"} if once else {}))

    def try_create(self, path="/hook", later=False, once=False, headers=None, **fields):
        return self.api.post(f"{self.mount}/add-job", self.creation(path, later, once) | fields,
                             headers=headers)

    def try_get(self, task_id):
        return self.api.get(f"{self.mount}/job/{task_id}" if self.mount else f"/v1/tasks/{task_id}")

    def try_cancel(self, task_id):
        if self.mount:
            return self.api.post(f"{self.mount}/cancel", {"job_id": task_id})
        return super().try_cancel(task_id)

    def try_retry(self, task_id):
        if self.mount:
            return self.api.post(f"{self.mount}/retry", {"job_id": task_id})
        return super().try_retry(task_id)

    def listed(self):
        """TaskMQ has no lists; the list of all dialects shows its jobs."""
        return [task["id"] for task in self.api.get("/v1/tasks").json["tasks"]]

    def id_in(self, body):
        return body["job_id"]

    def message_in(self, body):
        self.test.assertEqual(list(body), ["detail"])
        return json.dumps(body["detail"])

    def check_webhook(self, request, task_id):
        self.test.assertEqual(request.json, {"job_id": task_id, "handler": "conformance_hook",
                                             "payload": {"n": 1}, "attempt": 1})

    def check_task(self, body):
        self.test.assertIsInstance(body["id"], int)
        self.test.assertEqual(body["payload"], {"n": 1})


class AsyncJobs(Speaker):
    name = "asyncjobs"
    conflicting_replay = 200
    words = {"pending": "new", "completed": "complete", "failed": "expired", "cancelled": "terminated"}
    bad_field = ({"max_tries": 0}, 400, "max_tries")

    def setup(self):
        for queue in ("CONFORMANCE", "PAUSED"):
            self.test.assertIn(self.api.post("/v1/queues", {"name": queue}).status, (201, 409))
        self.test.assertEqual(self.api.post("/v1/queues/PAUSED/pause").status, 200)

    def creation(self, path, later, once):
        kind = f"conformance{path.replace('/', '_')}"
        reply = self.api.request("PUT", f"/v1/endpoints/{kind}", {"url": self.test.receiver.url(path)})
        self.test.assertIn(reply.status, (200, 201), reply.body)
        task = {"type": kind, "queue": "PAUSED" if later else "CONFORMANCE", "payload": {"n": 1}}
        return task | ({"max_tries": 1} if once else {})

    def listed(self):
        reply = self.api.get(f"{self.tasks}?limit=1000&state=new&state=complete&state=active")
        self.test.assertEqual(reply.status, 200, reply.body)
        return [task["id"] for task in reply.json["tasks"]]

    def status_in(self, body):
        return body["state"]

    def check_webhook(self, request, task_id):
        self.test.assertEqual(request.json["id"], task_id)
        self.test.assertEqual(request.json["state"], "active")
        self.test.assertEqual(request.headers["AJ-Content-Type"], "application/x-asyncjobs-task+json")

    def check_task(self, body):
        self.test.assertRegex(body["id"], r"^[0-9A-Za-z]{27}$")
        self.test.assertEqual(json.loads(base64.b64decode(body["payload"])), {"n": 1})


SPEAKERS = (Native, AsyncQueue, TaskMq, AsyncJobs)
