#!/usr/bin/python3
"""The victim of an attack: one tenant's steady and modest load, with its receiver, in a process of its own.

    victim.py API-PORT KEY < commands

Everything is due at its time, whether what was asked before has been answered or not, and counts from then. Each line on
standard input is answered with one line: `start` with the receiver's port; `stop` ends the load; `report` with all samples
so far as JSON:

    {"create": [[when, ms, status], ...],   POST /v1/tasks; status 0: no answer
     "read": [...],                         GET of a task, and /readyz
     "delivery": [[when, ms], ...],         from the 201 to the webhook's arrival; null: not there yet
     "chain": [...],                        from the arrival of a task to that of the one that depends on it
     "late": [...],                         from the time a delayed task was due to its arrival
     "twice": n}                            webhooks that came again

`when` is the time of day, for cutting the samples into phases.
"""

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time

CREATES, CHAINS, READS = 50, 2, 10  # per second
DELAY = 1  # of the first task of a chain: both are made before it is delivered
SCHEDULE = "every-second"
TIMEOUT = 30
MOST_CONNECTIONS = 200


class Client:
    """Requests over kept connections, as many at the same time as there are."""

    def __init__(self, port, key):
        self._port = port
        self._head = f"Host: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        self._free = []
        self._gate = asyncio.Semaphore(MOST_CONNECTIONS)

    async def request(self, method, path, body=None):
        """Returns the status and the JSON of the answer; (0, None) without one."""
        data = b"" if body is None else json.dumps(body).encode()
        request = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(data)}\r\n\r\n".encode() + data
        async with self._gate:
            for _ in range(2):  # a kept connection may have been closed by nginx in this moment
                kept = bool(self._free)
                try:
                    return await asyncio.wait_for(self._ask(request), TIMEOUT)
                except (OSError, EOFError, ValueError) as error:
                    if not kept or isinstance(error, TimeoutError):
                        break
        return 0, None

    async def _ask(self, request):
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            head, body = await message(reader)
        except BaseException:
            writer.close()
            raise
        if b"\r\nconnection: close" in head.lower():
            writer.close()
        else:
            self._free.append((reader, writer))
        return int(head[9:12]), json.loads(body) if body else None


async def message(reader):
    """Head and body of an HTTP message with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, _, after = head.lower().partition(b"\r\ncontent-length:")
    length = int(after.split(b"\r\n", 1)[0]) if after else 0
    return head, await reader.readexactly(length)


class Victim:
    def __init__(self, port, key):
        self._client = Client(port, key)
        self._numbers = itertools.count()
        self._acknowledged = {}  # number: (time of day, monotonic time) of the 201
        self._plain = []  # numbers of the tasks that are due at once
        self._chains = []  # numbers of first and second
        self._arrived = {}  # number: monotonic time
        self._twice = 0
        self._create, self._read = [], []
        self._last = None  # a task's id to read
        self._loads = []
        self._under_way = set()

    async def start(self):
        """Returns the port of the receiver."""
        self._server = await asyncio.start_server(self._receive, "127.0.0.1", 0, backlog=1024)
        self._url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        await self._client.request("PUT", f"/v1/schedules/{SCHEDULE}", {
            "schedule": "@every 1s", "queue": "victim", "webhook_url": self._url + "/s", "misfire": "all", "misfire_limit": 100})
        for rate, what in ((CREATES, self._make), (CHAINS, self._chain), (READS, self._look)):
            self._loads.append(asyncio.create_task(self._paced(rate, what)))
        return self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """No more begins; what is under way is waited for."""
        for load in self._loads:
            load.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)

    def report(self):
        def took(number, since):
            at = self._arrived.get(number)
            return None if at is None else max(0, at - since) * 1000

        delivery = [(self._acknowledged[n][0], took(n, self._acknowledged[n][1])) for n in self._plain]
        chain, late = [], []
        for first, second in self._chains:
            when, at = self._acknowledged[first]
            late.append((when, took(first, at + DELAY)))
            begun = self._arrived.get(first)
            made = self._acknowledged[second][1]
            chain.append((when, None if begun is None else took(second, max(begun, made))))
        return {"create": self._create, "read": self._read, "delivery": delivery, "chain": chain, "late": late,
                "twice": self._twice}

    async def _paced(self, rate, what):
        begin = time.monotonic()
        for number in itertools.count():
            due = begin + number / rate
            await asyncio.sleep(max(0, due - time.monotonic()))
            task = asyncio.create_task(what(due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _new_task(self, samples, due, **fields):
        """Returns the task's number and its id; (None, None) if it was not made."""
        number = next(self._numbers)
        when = time.time() - (time.monotonic() - due)
        status, task = await self._client.request("POST", "/v1/tasks", {
            "queue": "victim", "webhook_url": f"{self._url}/{number}", "payload": {"n": number}, **fields})
        now = time.monotonic()
        samples.append((when, (now - due) * 1000, status))
        if status != 201:
            return None, None
        self._acknowledged[number] = (when, now)
        return number, task["id"]

    async def _make(self, due):
        number, self._last = await self._new_task(self._create, due)
        if number is not None:
            self._plain.append(number)

    async def _chain(self, due):
        others = []  # two in a row: no figure of theirs is a single creation's
        first, task = await self._new_task(others, due, delay=DELAY)
        if first is not None:
            second, _ = await self._new_task(others, time.monotonic(), dependencies=[task])
            if second is not None:
                self._chains.append((first, second))
        # Their failures count all the same.
        self._read += [sample for sample in others if sample[2] != 201]

    async def _look(self, due):
        when = time.time() - (time.monotonic() - due)
        for path in ("/readyz", f"/v1/tasks/{self._last}" if self._last else "/v1/queues/victim"):
            status, _ = await self._client.request("GET", path)
            self._read.append((when, (time.monotonic() - due) * 1000, status))

    async def _receive(self, reader, writer):
        with contextlib.suppress(OSError, EOFError):
            while True:
                head, _ = await message(reader)
                path = head.split(b" ", 2)[1][1:]
                if path.isdigit():
                    self._twice += int(path) in self._arrived
                    self._arrived.setdefault(int(path), time.monotonic())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()


async def main(port, key):
    victim = Victim(int(port), key)
    commands = asyncio.StreamReader(limit=1 << 16)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := (await commands.readline()).strip():
        if line == b"start":
            print(json.dumps(await victim.start()), flush=True)
        elif line == b"stop":
            await victim.stop()
            print("true", flush=True)
        elif line == b"report":
            print(json.dumps(victim.report()), flush=True)


if __name__ == "__main__":
    # It stands for clients elsewhere, who do not wait for the processors of this machine.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    asyncio.run(main(*sys.argv[1:]))
