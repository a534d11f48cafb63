"""Clients in a process of their own that create tasks of many kinds, and a ledger of what they did.

Before a request leaves, its intent is on disk; its outcome follows. What is created depends on nothing but the
seed and the number of the task. Lines of the ledger, with times of the monotonic clock:

    {"post": 7, "t": …, "numbers": [31], "key": …, "delay": 0, "retries": 20, "path": "/ok", "after": [ids]}
    {"outcome": 7, "t": …, "status": 201, "ids": ["task_…"]}      status 0: no answer came;
                   an id is null: that task of the batch was not acknowledged
                   "polite": of a 5xx, whether it says `unavailable` and when to try again
    {"cancel": "task_…", "t": …}, {"cancelled": "task_…", "t": …, "status": 200}
"""

import asyncio
import dataclasses
import itertools
import json
import multiprocessing
import random
import signal
import time

from ledger import Ledger

# (how many of a thousand, path, delay in seconds, what else is done)
KINDS = [
    (488, "/ok", 0, ""),
    (200, "/ok", 0, "keyed"),
    (20, "/ok", 0, "keyed twice"),  # two clients at once
    (10, "/ok", 0, "keyed other"),  # and once more with another body
    (40, "/ok", 1, ""),
    (20, "/ok", 3, "keyed"),
    (40, "/slow/0.3", 0, ""),
    (20, "/slow/2", 0, ""),
    (30, "/flaky/1", 0, ""),
    (10, "/flaky/2", 0, ""),
    (10, "/rst", 0, ""),
    (10, "/close", 0, ""),
    (2, "/429/2", 0, ""),  # few: each holds its endpoint back
    (10, "/410", 0, ""),
    (10, "/500", 0, "few retries"),
    (5, "/never", 0, "few retries"),
    (30, "/ok", 2, "cancel"),
    (20, "/ok", 0, "chain"),
    (15, "/ok", 0, "batch"),
    (10, "/ok", 0, "atomic batch"),
]
# No failure but one in a while, so that no breaker makes the tasks of a short run wait.
CALM = [kind for kind in KINDS if kind[1].startswith(("/ok", "/slow", "/flaky/1"))]
BATCH = 10
RETRIES, FEW_RETRIES = 20, 1
INTERVAL = 1  # seconds before each retry


def payload(number):
    return f'{{"number": {number}, "text": "é\\u0000{number % 97 * "x"}"}}'


@dataclasses.dataclass
class Plan:
    path: str
    delay: int
    also: str
    chance: float  # 0 to 1


def plan(kinds, seed, number):
    dice = random.Random(seed << 32 | number)
    (_, path, delay, also), = dice.choices(kinds, [kind[0] for kind in kinds])
    return Plan(path, delay, also, dice.random())


class LoadGenerator:
    """`rate`: tasks in a second at most, 0: no limit; `calm`: see CALM."""

    def __init__(self, url, key, sink, ledger, seed, clients=16, rate=0, calm=False):
        self._acked = multiprocessing.Value("l", 0)
        self._began = multiprocessing.Value("d", 0)
        self._stopping = multiprocessing.Event()
        self._process = multiprocessing.Process(target=_run, args=(
            url, key, (sink.url, sink.busy_url), ledger, CALM if calm else KINDS, seed, clients, rate, self._acked,
            self._began, self._stopping))
        self._process.start()

    @property
    def acked(self):
        """Tasks that were acknowledged so far."""
        if not self._process.is_alive():
            raise AssertionError(f"the load generator ended with {self._process.exitcode}")
        return self._acked.value

    @property
    def acked_since(self):
        """The latest time at which a request was sent that has been acknowledged."""
        return self._began.value

    def stop(self):
        """Waits for the clients' last answers; then the ledger is complete."""
        self._stopping.set()
        self._process.join(60)
        if self._process.exitcode != 0:
            raise AssertionError(f"the load generator ended with {self._process.exitcode}")

    def kill(self):
        self._process.kill()


def _run(url, key, sinks, path, *rest):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ledger = Ledger(path)
    asyncio.run(_Clients(url, key, sinks, ledger, *rest).run())
    ledger.close()


class _Clients:
    def __init__(self, url, key, sinks, ledger, kinds, seed, clients, rate, acked, began, stopping):
        self.host, self.port = url.removeprefix("http://").split(":")
        self.key, self.ledger, self.kinds, self.seed = key, ledger, kinds, seed
        self.sink, self.busy_sink = sinks
        self.clients, self.rate = clients, rate
        self.acked, self.began, self.stopping = acked, began, stopping
        self.posts, self.numbers = itertools.count(1), itertools.count(1)
        self.first = time.monotonic()

    def over(self):
        return self.stopping.is_set()

    async def run(self):
        await asyncio.gather(*(self.client() for _ in range(self.clients)))

    async def client(self):
        connection, beside = _Connection(self), _Connection(self)
        while not self.over():
            number = next(self.numbers)
            if self.rate:
                await asyncio.sleep(max(0, self.first + number / self.rate - time.monotonic()))
            await self.make(connection, beside, number)
        connection.close()
        beside.close()

    async def make(self, connection, beside, number):
        wish = plan(self.kinds, self.seed, number)
        match wish.also.split():
            case ["keyed", *more]:
                key = f"key-{self.seed}-{number}"
                clients = [connection, beside] if more == ["twice"] else [connection]
                await asyncio.gather(*(self.keyed(each, wish, number, key) for each in clients))
                if more == ["other"]:
                    await self.post(connection, wish, [next(self.numbers)], key=key)
            case [*atomic, "batch"]:
                numbers = [number, *itertools.islice(self.numbers, BATCH - 1)]
                await self.post(connection, wish, numbers, atomic=bool(atomic))
            case ["chain"]:
                if ids := await self.post(connection, wish, [number]):
                    await self.post(connection, wish, [next(self.numbers)], after=ids)
            case ["cancel"]:
                if ids := await self.post(connection, wish, [number]):
                    # Half of them shortly before or after they are due.
                    await asyncio.sleep(wish.chance if wish.chance < 0.5 else wish.delay + wish.chance - 0.75)
                    await self.cancel(connection, ids[0])
            case _:
                await self.post(connection, wish, [number])

    async def keyed(self, connection, wish, number, key):
        """Repeats it until the answer is not a 5xx, as clients do."""
        while not await self.post(connection, wish, [number], key=key) and not self.over():
            await asyncio.sleep(0.1)

    async def post(self, connection, wish, numbers, key=None, after=None, atomic=None):
        """Returns the ids of the tasks if they were acknowledged; None for one of a batch that was not."""
        retries = FEW_RETRIES if wish.also == "few retries" else RETRIES
        post, began = next(self.posts), time.monotonic()
        await self.ledger.intend(post=post, t=began, numbers=numbers, key=key, delay=wish.delay, retries=retries,
                                 path=wish.path, after=after, atomic=atomic)
        sink = self.busy_sink if wish.path.startswith("/429") else self.sink
        tasks = [f'{{"queue": "q{numbers[0] % 4}", "webhook_url": "{sink}{wish.path}", "delay": {wish.delay}, '
                 f'"timeout": {1 if wish.path == "/never" else 10}, "max_retries": {retries}, '
                 f'"retry_policy": {{"intervals": [{INTERVAL}]}}, "dependencies": {json.dumps(after or [])}, '
                 f'"payload": {payload(number)}}}' for number in numbers]
        if atomic is None:
            status, answer = await connection.request("POST", "/v1/tasks", tasks[0], key)
        else:
            path = "/v1/tasks/batch?atomic=true" if atomic else "/v1/tasks/batch"
            status, answer = await connection.request("POST", path, f'{{"tasks": [{", ".join(tasks)}]}}')
        ids = []
        if status in (200, 201):
            results = json.loads(answer)
            tasks = [each.get("task") for each in results.get("results", [{"task": results}])]
            ids = [task and task["id"] for task in tasks]
            if status == 201 or "results" in results:  # no replay
                with self.acked.get_lock():
                    self.acked.value += len(ids) - ids.count(None)
            if any(ids):
                self.began.value = max(self.began.value, began)
        self.ledger.note(outcome=post, t=time.monotonic(), status=status, ids=ids, polite=connection.polite)
        if status not in (200, 201):
            await asyncio.sleep(0.05)  # leaves the processor to the program that is restarting
        return ids

    async def cancel(self, connection, task):
        await self.ledger.intend(cancel=task, t=time.monotonic())
        status, _ = await connection.request("POST", f"/v1/tasks/{task}/cancel", "")
        self.ledger.note(cancelled=task, t=time.monotonic(), status=status)


class _Connection:
    def __init__(self, clients):
        self.clients = clients
        self.reader = self.writer = None
        self.polite = None  # of the last answer

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None

    async def request(self, method, path, body, key=None):
        """(status, body); the status is 0 when no whole answer came within a minute."""
        self.polite = None
        try:
            return await asyncio.wait_for(self._request(method, path, body.encode(), key), 60)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError):
            self.close()
            return 0, b""

    async def _request(self, method, path, body, key):
        if not self.writer:
            self.reader, self.writer = await asyncio.open_connection(self.clients.host, self.clients.port)
        idempotency = f"Idempotency-Key: {key}\r\n" if key else ""
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          f"Authorization: Bearer {self.clients.key}\r\nContent-Length: {len(body)}\r\n"
                          f"{idempotency}\r\n".encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        answer = await self.reader.readexactly(length)
        if "connection: close" in head:
            self.close()
        status = int(head.split(" ")[1])
        if status >= 500:
            self.polite = "retry-after:" in head and json.loads(answer)["error"]["code"] == "unavailable"
        return status, answer
