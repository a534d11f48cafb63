"""Measures how long it takes to deliver 100,000 tasks that are all due at the same moment (--scale 0.1: a tenth)."""

import datetime
import time

import cpu
from dispatch import HOSTS
from harness import wait_until
from posts import BATCH, creates, task
from report import Table
from target import quantile, receiver

TASKS = 100_000
BATCH_SIZE = 1_000


class Moment:
    """A time of the wall clock, which is also known as a time of the monotonic clock."""

    def __init__(self, at):
        self.at = at
        self.monotonic_ns = time.monotonic_ns() + round((at - time.time()) * 1e9)

    def text(self):
        return datetime.datetime.fromtimestamp(self.at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def ahead(self):
        return self.at - time.time()


def seconds_after(due, arrivals):
    """Of each arrival, sorted; none may be early."""
    after = sorted((at - due.monotonic_ns) / 1e9 for _, at in arrivals)
    if after[0] < 0:
        raise RuntimeError(f"a task was delivered {-after[0]:.3f} s before it was due")
    return after


def run(stack, options):
    tasks = max(1, round(TASKS * options.scale / BATCH_SIZE)) * BATCH_SIZE
    with receiver(HOSTS, save=True) as target:
        due = Moment(int(time.time() + 10 + tasks / 4_000))
        body = task(target.port, run_at=due.text())
        created = creates(stack, body, BATCH, batch=BATCH_SIZE, count=tasks // BATCH_SIZE, hosts=HOSTS, connections=4,
                          seconds=600).run()
        if due.ahead() < 1:
            raise RuntimeError("the creates took so long that some tasks were due")
        time.sleep(max(0, due.ahead() - 0.5))
        meter = cpu.Meter({**cpu.stack_groups(stack), "receiver": target.process.pid}).start()
        wait_until(lambda: target.count() >= tasks, f"{tasks} webhooks", 600, every=0.2)
        used = meter.per_task(tasks)
        after = seconds_after(due, target.arrivals())
    options.report.add(Table(
        f"burst: {tasks:,} tasks due at one moment, {HOSTS} hosts",
        ["created/s", "first, s after", "half", "all", "webhooks/s", "CPU, µs per task"],
        [[f"{created['per_second'] * BATCH_SIZE:,.0f}", f"{after[0]:.2f}", f"{quantile(after, 0.5):.2f}", f"{after[-1]:.2f}",
          f"{tasks / after[-1]:,.0f}", cpu.text(used)]]))
    return True
