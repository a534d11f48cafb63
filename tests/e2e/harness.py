"""Common parts of the end-to-end tests: a whole stack, receivers, and a client.

    class Retries(StackTest):
        settings = {"POSTERN_SLOTS": "8"}

        def test_comes_again_after_a_500(self):
            self.receiver.on("/hook", 500, 200)
            task = self.create()
            self.receiver.wait_for(lambda requests: len(requests) == 2)
            self.assertEqual(self.finished(task)["attempt_count"], 2)
"""

import dataclasses
import http.client
import json
import pathlib
import signal
import ssl
import subprocess
import sys
import time
import unittest
import urllib.parse
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import leaks  # noqa: E402
from postgres import scratch_folder, tail  # noqa: E402
from process import Process  # noqa: E402
from receiver import Answer, Receiver, Request  # noqa: E402, F401
from stack import BIN, Stack  # noqa: E402


# nginx's access log, written at once: a test finds what it caused.
AS_SHIPPED, AT_ONCE = " postern buffer=64k flush=1s;", " postern;"


def wait_until(condition, timeout=30, what=None):
    """Polls until the condition is true, and returns its value."""
    end = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what or 'what the test waits for'}")
        time.sleep(0.02)
    return result


@dataclasses.dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Api:
    """A client with a key and one persistent connection; for one thread."""

    def __init__(self, url, key=None, ca=None, timeout=60):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "https":
            trust = ssl.create_default_context(cafile=ca)
            self.connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=trust)
        else:
            self.connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        self.key = key

    def request(self, method, path, body=None, headers=None):
        """Sends a request. `body`: bytes, an iterable of parts for a chunked body, or a value to be sent as
        JSON. Returns a reply for every status."""
        headers = dict(headers or {})
        if self.key:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            if isinstance(body, (dict, list)):
                body = json.dumps(body).encode()
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            reply = Reply(answer.status, answer.headers, answer.read())
            leaks.learn_exchange(path, headers, body, reply.body)
            return reply
        except BaseException:
            self.connection.close()
            raise

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def close(self):
        self.connection.close()


# Crockford's base 32, and Python's.
_DIGITS = str.maketrans("0123456789abcdefghjkmnpqrstvwxyz", "0123456789abcdefghijklmnopqrstuv")


def uuid_of(task_id):
    """The UUID, as in the tables, of an id of the API: 26 digits in Crockford's base 32."""
    return str(uuid.UUID(int=int(task_id.removeprefix("task_").translate(_DIGITS), 32)))


class StackTest(unittest.TestCase):
    """A stack for all classes of a file that have the same settings; a receiver and an admin's client for
    each test. A test fails when a secret is in a log after it.

    `settings` are POSTERN_* for the programs.
    """

    settings = {}
    stack_type = Stack
    _stacks = {}

    @classmethod
    def setUpClass(cls):
        kind = (cls.stack_type, *cls.settings.items())
        if kind not in cls._stacks:
            folder = scratch_folder()
            unittest.addModuleCleanup(folder.cleanup)
            stack = cls.stack_type(folder.name, cls.settings)
            stack.places = {**stack.places, AS_SHIPPED: AT_ONCE}
            stack.leaks = leaks.Watch(stack.log, stack.dir / "nginx")
            unittest.addModuleCleanup(stack.leaks.check)  # what was written while it stopped
            unittest.addModuleCleanup(stack.kill)
            stack.start()
            for name in ("admin_key", "worker_key", "read_key", "jwt_secret", "webhook_secret"):
                leaks.learn(stack.state[name])
            cls._stacks[kind] = stack
        cls.stack = cls._stacks[kind]

    def setUp(self):
        self.addCleanup(self.stack.leaks.check)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.api = self.client("admin")

    def client(self, role=None, url=None):
        """A client with the key of `role` (admin, worker, read), or with none."""
        key = self.stack.state[f"{role}_key"] if role else None
        api = Api(url or self.stack.url, key, self.stack.certificate)
        self.addCleanup(api.close)
        return api

    def another_scheduler(self, name):
        """A second scheduler on the same database, until the end of the test."""
        process = Process(self.stack.run / f"{name}.pid")
        self.addCleanup(process.stop, signal.SIGKILL)
        with open(self.stack.log / f"{name}.log", "ab") as log:
            process.spawn([BIN / "postern-scheduler", "--name", name], stdout=log, stderr=log,
                          stdin=subprocess.DEVNULL, env=self.stack._environment("postern_scheduler"))
        return process

    def create(self, **fields):
        """Creates a task; by default with a webhook to the test's receiver, at once."""
        task = {"queue": "default", "webhook_url": self.receiver.url("/hook"), **fields}
        reply = self.api.post("/v1/tasks", task)
        self.assertEqual(reply.status, 201, reply.body)
        return reply.json

    def get(self, task):
        """The present state of the task."""
        reply = self.api.get(f"/v1/tasks/{task['id']}")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    def finished(self, task, timeout=30):
        """Waits until the task is finished, and returns it."""
        over = ("completed", "failed", "cancelled")
        return self.wait_until(lambda: (now := self.get(task))["status"] in over and now, timeout,
                               f"{task['id']} is over")

    def wait_until(self, condition, timeout=30, what=None):
        try:
            return wait_until(condition, timeout, what)
        except AssertionError as error:
            logs = [self.stack.log / name for name in ("fcgi.log", "scheduler.log")]
            said = "".join(f"\n{log.name}:\n{tail(log)}" for log in logs)
            raise AssertionError(f"{error}{said}") from None
