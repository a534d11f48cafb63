"""Measures how long the tasks of healthy hosts take while a tenth of the hosts never answer, from the first second on: the
scheduler is new, and has to find out which these are. Twice: at 300 tasks/s, and at half of what dispatch reaches
with as many hosts.
"""

import contextlib

from dispatch import deliver, warmed_up
from harness import forget_tasks, restart_scheduler, wait_until
from posts import creates, task
from report import Table, progress
from target import QUANTILES, latencies, quantile_cells, receiver

SLOW_RATE = 300
SETS = (20, 1_000)  # hosts


def measure(stack, hosts, hanging, rate, seconds):
    """The cells of one run, with a receiver of its own: its lanes are new too."""
    with receiver(hosts, hanging=hanging, save=True) as target:
        restart_scheduler(stack)
        load = creates(stack, task(target.port), hosts=hosts, rate=rate, seconds=seconds)
        _, acknowledged = load.run_and_stamps()
        healthy = [(number, at) for number, at in acknowledged if number % hosts >= hanging]
        with contextlib.suppress(TimeoutError):  # then the table says how many are late
            wait_until(lambda: target.count() >= len(healthy), "all webhooks of healthy hosts", 60)
        took, late = latencies(healthy, target.arrivals())
        forget_tasks(stack)
    cells = [f"{hosts:,}", f"{hanging:,}", f"{rate:,.0f}", f"{len(healthy):,}", *quantile_cells(took), f"{late:,}"]
    progress(" ".join(cells))
    return cells


def reached(stack, hosts, tasks):
    """Webhooks per second from a backlog for so many hosts."""
    with receiver(hosts) as target:
        warmed_up(stack, target, hosts)
        rate = deliver(stack, target, hosts, tasks).rate
        forget_tasks(stack)
        return rate


def run(stack, options):
    seconds = options.seconds or 40
    rows = []
    for hosts in SETS:
        half = reached(stack, hosts, options.tasks) / 2
        rows += [measure(stack, hosts, hanging, rate, seconds) for rate in (SLOW_RATE, half) for hanging in (0, hosts // 10)]
    options.report.add(Table(
        f"slow: from the acknowledgement to the arrival at hosts that answer, {seconds:.0f} s",
        ["hosts", "hanging", "tasks/s", "healthy tasks", *QUANTILES, "not within 60 s"], rows))
    return True
