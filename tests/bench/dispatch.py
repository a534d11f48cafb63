"""Measures webhooks per second of one scheduler with 256 slots, from the first arrival to the last.

The ceiling is bare libcurl with 256 slots, posting to the same receiver. The tasks are inserted by SQL while the scheduler
stands still, all due at once, for a number of hosts with a lane each. Peers deliver a backlog of the same size.
"""

import json

import cpu
import peers
from harness import HERE, api, completed, forget_tasks, frozen, output_and_cpu_of, psql, wait_until
from report import Contender, Turn, compare
from stack import BIN
from target import receiver

SLOTS = 256
LIMIT = 100
HOSTS = 16  # where a benchmark does not vary them
# Hosts, and max_concurrent of the queue.
ROWS = [(1, None), (HOSTS, None), (1_000, None), (1, LIMIT), (1_000, LIMIT)]
# The webhook of a task of ready_tasks.sql.
WEBHOOK = {
    "task_id": "task_01hzy3v7k2e8s9q4r5t6w7x8y9",
    "queue": "bench",
    "payload": {"order": 1001, "total": "12.50"},
    "attempt": 1,
}


def insert_ready(stack, target, hosts, tasks):
    numbers = ["-v", f"tasks={tasks}", "-v", f"hosts={hosts}", "-v", f"port={target.port}"]
    psql(stack, *numbers, "-f", HERE / "ready_tasks.sql")


def deliver(stack, target, hosts, tasks):
    """Delivers a backlog. Leaves the tables as they are then."""
    target.reset()
    before = completed(stack)
    with frozen(stack.programs["scheduler"].pid):
        insert_ready(stack, target, hosts, tasks)
        groups = {**cpu.stack_groups(stack), "receiver": target.process.pid}
        meter = cpu.Meter(groups).start()
    wait_until(lambda: target.count() >= tasks, f"{tasks} webhooks", 600, every=0.2)
    wait_until(lambda: completed(stack) - before >= tasks, f"{tasks} tasks completed", every=0.2)
    used = meter.per_task(tasks)
    return Turn(target.rate(tasks), used)


def warmed_up(stack, target, hosts):
    """Opens connections, and lets the scheduler get to know the lanes."""
    deliver(stack, target, hosts, max(2_000, 2 * hosts))
    forget_tasks(stack)


def postern(stack, target, hosts, tasks, limit=None):
    def turn():
        api(stack, "PATCH", "/v1/queues/bench", {"max_concurrent": limit})
        turn = deliver(stack, target, hosts, tasks)
        forget_tasks(stack)
        return turn

    warmed_up(stack, target, hosts)
    return turn


def bare_libcurl(target, hosts, tasks):
    target.reset()
    command = [BIN / "bench-curl", "--port", target.port, "--hosts", hosts, "--slots", SLOTS]
    command += ["--count", tasks, "--seconds", 120, "--body", json.dumps(WEBHOOK, separators=(",", ":"))]
    meter = cpu.Meter({"receiver": target.process.pid}).start()
    said, took = output_and_cpu_of(*command)
    used = meter.per_task(tasks, libcurl=took)
    result = json.loads(said)
    if result["failed"]:
        raise RuntimeError(f"bare libcurl: {result}")
    return Turn(target.rate(tasks), used)


def row(stack, options, found, hosts, limit):
    tasks = options.tasks
    with receiver(hosts) as target:
        contenders = [Contender("Postern", postern(stack, target, hosts, tasks, limit))]
        # A limit of one queue has no counterpart elsewhere: such a row is compared with bare libcurl alone.
        contenders += [Contender("bare libcurl", lambda: bare_libcurl(target, hosts, tasks), floor=0.4 if hosts == HOSTS else None)]
        contenders += [] if limit else peers.drainers(found, stack, target, hosts, tasks)
        limited = f", max_concurrent {limit}" if limit else ""
        title = f"dispatch: a backlog of {tasks:,}, {hosts:,} host{'s' * (hosts > 1)}{limited}, {SLOTS} slots, one scheduler"
        return compare(options.report, title, contenders, options.rounds, " webhooks/s")


def run(stack, options):
    found = peers.installed(stack, options)
    return all([row(stack, options, found, hosts, limit) for hosts, limit in ROWS])
