"""Clients that create tasks as fast as possible, and record the answers."""

import dataclasses
import itertools
import pathlib
import secrets
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Api, Reply  # noqa: E402


@dataclasses.dataclass
class Creation:
    number: int
    key: str  # its Idempotency-Key, or None
    reply: Reply

    @property
    def payload(self):
        return payload(self.number)


def payload(number):
    return f'{{"number": {number}, "text": "é\\u0000{number % 97 * "x"}"}}'


class Load:
    """Each client has a persistent connection and waits for an answer before it sends the next task.

    `keyed`: the number of clients that use an Idempotency-Key per task and repeat it until a 2xx. The tasks are
    delayed, so that no scheduler delivers them.
    """

    def __init__(self, stack, clients, keyed=0):
        self.queue = f"load-{secrets.token_hex(4)}"  # unique, as are the keys
        self.answers = []  # of type Creation, in order of arrival
        self.errors = []  # exceptions: nginx did not answer
        self._stack = stack
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[number < keyed], daemon=True)
                         for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def count(self, status):
        return sum(creation.reply.status == status for creation in list(self.answers))

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, keyed):
        api = Api(self._stack.url, self._stack.state["admin_key"])
        while not self._stopping.is_set():
            number = next(self._numbers)
            key = f"{self.queue}-{number}" if keyed else None
            while self._create(api, number, key) >= 500:
                time.sleep(0.05)  # leaves the processor to the program that is restarting
                if not keyed:
                    break
        api.close()

    def _create(self, api, number, key):
        body = (f'{{"queue": "{self.queue}", "webhook_url": "http://127.0.0.1:9/", "delay": 86400, '
                f'"payload": {payload(number)}}}').encode()
        try:
            reply = api.post("/v1/tasks", body, headers={"Idempotency-Key": key} if key else {})
        except Exception as error:
            self.errors.append(error)
            return 500
        self.answers.append(Creation(number, key, reply))
        return reply.status
