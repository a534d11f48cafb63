"""Clients that create tasks at a steady rate, and writes that show when PostgreSQL itself is back."""

import dataclasses
import http.client
import itertools
import secrets
import threading
import time

import psycopg2

from harness import Api

CLIENTS, PERIOD = 20, 0.4  # 50 tasks a second


@dataclasses.dataclass
class Created:
    id: str
    sent: float  # of the monotonic clock: when the first request for it began
    at: float  # when it was acknowledged
    requests: int


class Creates:
    """Each client creates a task every PERIOD seconds. With the same Idempotency-Key it asks again until the task is
    acknowledged, as clients do."""

    def __init__(self, stack, webhook):
        self.acknowledged = []  # of type Created
        self.refused = {}  # status, or the kind of error, of what was not acknowledged -> how often
        self._stack, self._webhook = stack, webhook
        self._run, self._numbers = secrets.token_hex(4), itertools.count()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=[PERIOD * number / CLIENTS], daemon=True)
                         for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Returns when every task that was begun is acknowledged."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(120)

    def since(self, began):
        """The first task that was asked for after `began` and is acknowledged, if there is one."""
        return next((task for task in list(self.acknowledged) if task.sent > began), None)

    def _client(self, wait):
        api = Api(self._stack.url, self._stack.state["admin_key"], timeout=30)
        while not self._stopping.wait(wait):
            sent = time.monotonic()
            key = f"{self._run}-{next(self._numbers)}"
            for requests in itertools.count(1):
                if task := self._create(api, key):
                    self.acknowledged.append(Created(task, sent, time.monotonic(), requests))
                    break
                time.sleep(0.2)
            wait = max(0, sent + PERIOD - time.monotonic())
        api.close()

    def _create(self, api, key):
        """The id of the task; None if it is not acknowledged."""
        try:
            reply = api.post("/v1/tasks", {"queue": "ha", "webhook_url": self._webhook, "payload": {"key": key}},
                             headers={"Idempotency-Key": key})
        except (OSError, http.client.HTTPException) as error:
            return self._count(type(error).__name__)
        return reply.json["id"] if reply.status in (200, 201) else self._count(reply.status)

    def _count(self, why):
        self.refused[why] = self.refused.get(why, 0) + 1


class Writes:
    """Writes to each node alone whenever it is no standby. A commit that is acknowledged says that PostgreSQL and
    Patroni are back."""

    def __init__(self, cluster):
        self.acknowledged = []  # times of the monotonic clock
        self._stopping = threading.Event()
        cluster.psql("CREATE TABLE public.written (at timestamptz DEFAULT now())", "postgres")
        self._threads = [threading.Thread(target=self._write, args=[node], daemon=True) for node in cluster.nodes]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stopping.set()

    def _write(self, node):
        connection = None
        while not self._stopping.wait(0.05):
            try:
                if connection is None:
                    connection = psycopg2.connect(host=node.address, user="postgres", dbname="postgres",
                                                  connect_timeout=2)
                    connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_is_in_recovery()")
                    if not cursor.fetchone()[0]:
                        cursor.execute("INSERT INTO public.written DEFAULT VALUES")
                        self.acknowledged.append(time.monotonic())
            except psycopg2.Error:
                connection = None


def standstill(times, since, until):
    """The longest time between two of `times` in a span, as (begin, end)."""
    inside = [since, *sorted(each for each in list(times) if since < each < until), until]
    return max(itertools.pairwise(inside), key=lambda pair: pair[1] - pair[0])
