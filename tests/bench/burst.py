"""Measures how long it takes to deliver 100,000 tasks that are all due at the same moment (--scale 0.1: a tenth)."""

import time

import cpu
from dispatch import HOSTS
from moment import Moment, delivered
from posts import BATCH, creates, task
from report import Table
from target import quantile, receiver

TASKS = 100_000
BATCH_SIZE = 1_000


def run(stack, options):
    tasks = max(1, round(TASKS * options.scale / BATCH_SIZE)) * BATCH_SIZE
    with receiver(HOSTS, save=True) as target:
        due = Moment(int(time.time() + 10 + tasks / 4_000))
        body = task(target.port, run_at=due.text())
        created = creates(stack, body, BATCH, batch=BATCH_SIZE, count=tasks // BATCH_SIZE, hosts=HOSTS, connections=4,
                          seconds=600).run()
        after, used = delivered(stack, target, due, tasks, 600)
    options.report.add(Table(
        f"burst: {tasks:,} tasks due at one moment, {HOSTS} hosts",
        ["created/s", "first, s after", "half", "all", "webhooks/s", "CPU, µs per task"],
        [[f"{created['per_second'] * BATCH_SIZE:,.0f}", f"{after[0]:.2f}", f"{quantile(after, 0.5):.2f}", f"{after[-1]:.2f}",
          f"{tasks / after[-1]:,.0f}", cpu.text(used)]]))
    return True
