"""Measures how long it takes to fire 10,000 schedules that are due at the same moment, and to deliver their tasks
(--scale 0.1: a tenth)."""

import json
import time

import cpu
from dispatch import HOSTS
from moment import Moment, delivered
from posts import creates, task
from report import Table
from target import quantile, receiver

SCHEDULES = 10_000


def schedule(port, due):
    """The body of a schedule that fires at `due`, and then not within a year."""
    at = time.gmtime(due.at)
    cron = {"name": "s{n}", "schedule": f"{at.tm_min} {at.tm_hour} {at.tm_mday} {at.tm_mon} *"}
    return json.dumps(cron)[:-1] + "," + task(port)[1:]


def run(stack, options):
    count = max(1, round(SCHEDULES * options.scale))
    with receiver(HOSTS, save=True) as target:
        # A whole minute, far enough that all can be made before.
        due = Moment((int(time.time() + 20 + count / 200) // 60 + 1) * 60)
        made = creates(stack, schedule(target.port, due), "/v1/schedules", count=count, hosts=HOSTS, seconds=600).run()
        after, used = delivered(stack, target, due, count, 300)
    options.report.add(Table(
        f"schedules: {count:,} due at one moment, {HOSTS} hosts",
        ["schedules made/s", "first webhook, s after", "half", "all", "webhooks/s", "CPU, µs per task"],
        [[f"{made['per_second']:,.0f}", f"{after[0]:.2f}", f"{quantile(after, 0.5):.2f}", f"{after[-1]:.2f}",
          f"{count / after[-1]:,.0f}", cpu.text(used)]]))
    return True
