"""An HTTP target in a process of its own: its answer is in the path, and it logs what came, and when.

    /ok            200
    /500           500
    /410           410
    /slow/SECONDS  200 after so long
    /never         nothing
    /flaky/N       500 up to attempt N, then 200
    /rst           attempt 1: a reset once the request has come; then 200
    /close         attempt 1: the connection ends without an answer; then 200
    /429/SECONDS   attempt 1: 429 with that Retry-After; then 200

It listens at two addresses. A Retry-After holds back all tasks of its endpoint, so `busy_url` is for the last kind:
at the address of the others, one such task in a hundred would be all that a run waits for.

The log has two JSON lines for each request: when all of it had come, and when its answer was sent (status 0: the
connection ended without one). Times are of the monotonic clock, which all processes of the machine share.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import multiprocessing
import socket
import struct
import time


class Sink:
    def __init__(self, log, secret, address="127.0.0.1"):
        self.log = log
        self._last = multiprocessing.Value("d", 0)
        self._count = multiprocessing.Value("l", 0)
        listeners = [socket.create_server((address, 0), backlog=4096) for _ in range(2)]
        self.url, self.busy_url = (f"http://{address}:{each.getsockname()[1]}" for each in listeners)
        self._stopping = multiprocessing.Event()
        self._process = multiprocessing.Process(target=_run, daemon=True, args=(
            listeners, log, secret, self._last, self._count, self._stopping))
        self._process.start()
        for each in listeners:
            each.close()

    @property
    def last(self):
        """When the last request came."""
        return self._last.value

    @property
    def count(self):
        return self._count.value

    def close(self):
        """Ends it; then the log is complete."""
        self._stopping.set()
        self._process.join(10)
        self._process.kill()


def _run(listeners, log, secret, last, count, stopping):
    key = base64.b64decode(secret.removeprefix("whsec_"))

    async def serve():
        with open(log, "w", buffering=1 << 16) as file:
            servers = [await asyncio.get_running_loop().create_server(
                lambda: _Connection(file, key, last, count), sock=each, backlog=4096) for each in listeners]
            while not stopping.is_set():
                await asyncio.sleep(0.1)
                file.flush()
            for each in servers:
                each.close()

    asyncio.run(serve())


class _Connection(asyncio.Protocol):
    numbers = iter(range(1 << 60))

    def __init__(self, file, key, last, count):
        self.file, self.key, self.last, self.count = file, key, last, count
        self.buffer = b""
        self.under_way = None  # the number of the request that waits for its answer
        self.timer = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, error):
        if self.timer:
            self.timer.cancel()
        if self.under_way is not None:
            self.ended(0)

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", 0))
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4:end + 4 + length]
            self.buffer = self.buffer[end + 4 + length:]
            self.take(head.split()[1], headers, body)

    def take(self, path, headers, body):
        now = time.monotonic()
        self.last.value = now
        self.count.value += 1
        self.under_way = next(self.numbers)
        attempt = int(headers["postern-attempt"])
        # {"task_id":…,"queue":…,"payload":PAYLOAD,"attempt":N}, see core/wire/native.cpp
        payload = body[body.index(b'"payload":') + 10:body.rindex(b',"attempt":')]
        self.write(request=self.under_way, t=now, task=headers["webhook-id"], attempt=attempt, path=path,
                   inside=json.loads(body)["task_id"], sha=hashlib.sha256(payload).hexdigest(),
                   signed=self.is_signed(headers, body))
        kind, _, number = path[1:].partition("/")
        first = attempt == 1
        if kind == "never":
            return
        if kind == "slow":
            self.timer = asyncio.get_running_loop().call_later(float(number), self.answer, 200)
        elif kind in ("rst", "close") and first:
            self.ended(0)
            if kind == "rst":  # closing with a linger time of 0 sends a reset
                self.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        elif kind == "429" and first:
            self.answer(429, f"Retry-After: {number}\r\n")
        elif kind in ("500", "410"):
            self.answer(int(kind))
        else:
            self.answer(500 if kind == "flaky" and attempt <= int(number) else 200)

    def answer(self, status, headers=""):
        self.timer = None
        self.transport.write(f"HTTP/1.1 {status} x\r\n{headers}Content-Length: 0\r\n\r\n".encode())
        self.ended(status)

    def ended(self, status):
        self.write(answer=self.under_way, t=time.monotonic(), status=status)
        self.under_way = None

    def is_signed(self, headers, body):
        stamp = headers["webhook-timestamp"]
        content = f"{headers['webhook-id']}.{stamp}.".encode() + body
        wanted = "v1," + base64.b64encode(hmac.digest(self.key, content, "sha256")).decode()
        return wanted in headers["webhook-signature"].split() and abs(time.time() - int(stamp)) < 60

    def write(self, **fields):
        self.file.write(json.dumps(fields, separators=(",", ":")) + "\n")
