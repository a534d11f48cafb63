"""Measures webhooks per second of one scheduler with 256 slots, from the first arrival to the last.

The ceiling is bare libcurl with 256 slots, posting to the same receiver. The tasks are inserted by SQL, all
due at once, for a number of hosts with a lane each.
"""

import contextlib
import json
import subprocess

from harness import HERE, Contender, compare, forget_tasks, get, output_of, psql, running, wait_until
from stack import BIN

SLOTS = 256
HOSTS = 16
# The webhook of a task of ready_tasks.sql.
WEBHOOK = {
    "task_id": "task_01hzy3v7k2e8s9q4r5t6w7x8y9",
    "queue": "bench",
    "payload": {"order": 1001, "total": "12.50"},
    "attempt": 1,
}


class Receiver:
    def __init__(self, port):
        self.port = port

    def reset(self):
        get(f"http://127.0.0.1:{self.port}/reset")

    def count(self):
        return json.loads(get(f"http://127.0.0.1:{self.port}/count"))

    def rate(self, expected):
        """Arrivals per second from the first to the last, of which there must be `expected`."""
        seen = self.count()
        if seen["count"] != expected:
            raise RuntimeError(f"{expected} webhooks expected, {seen['count']} arrived")
        return (seen["count"] - 1) / seen["seconds"]


@contextlib.contextmanager
def receiver():
    command = [BIN / "bench-receiver", "--hosts", HOSTS]
    with running(*command, stdout=subprocess.PIPE) as process:
        yield Receiver(int(process.stdout.readline()))


def postern(stack, target):
    def deliver(tasks):
        target.reset()
        numbers = ["-v", f"tasks={tasks}", "-v", f"hosts={HOSTS}", "-v", f"port={target.port}"]
        psql(stack, *numbers, "-f", HERE / "ready_tasks.sql")
        wait_until(lambda: target.count()["count"] >= tasks, f"{tasks} webhooks", 120, every=0.2)
        settled = "SELECT count(*) FROM postern.task_finished WHERE state = 'completed'"
        wait_until(lambda: int(psql(stack, "-c", settled)) == tasks, f"{tasks} tasks completed")
        forget_tasks(stack)
        return target.rate(tasks)

    deliver(2_000)  # warm-up: opens connections, and the scheduler gets to know the lanes
    return deliver


def bare_libcurl(target, tasks):
    target.reset()
    command = [BIN / "bench-curl", "--port", target.port, "--hosts", HOSTS, "--slots", SLOTS]
    command += ["--count", tasks, "--seconds", 120, "--body", json.dumps(WEBHOOK, separators=(",", ":"))]
    result = json.loads(output_of(*command))
    if result["failed"]:
        raise RuntimeError(f"bare libcurl: {result}")
    return target.rate(tasks)


def run(stack, options):
    with receiver() as target:
        deliver = postern(stack, target)
        contenders = [
            Contender("Postern", lambda: deliver(options.tasks)),
            Contender("bare libcurl", lambda: bare_libcurl(target, options.tasks), floor=0.4),
        ]
        title = f"dispatch: webhooks, one scheduler, {SLOTS} slots, {HOSTS} hosts, {options.tasks:,} tasks"
        return compare(title, contenders, options.rounds)
