"""Measures webhooks per second from one backlog after the other, and then creates per second, while another transaction holds
a snapshot, so that nothing that was updated or deleted can be cleaned away; and the same without. The tables are not emptied
in between.
"""

import contextlib
import subprocess
import time

import intake
from dispatch import HOSTS, deliver, warmed_up
from harness import forget_tasks, psql_command
from report import Table, progress
from target import receiver


@contextlib.contextmanager
def held(stack):
    """A transaction that has a snapshot and no locks."""
    with subprocess.Popen(psql_command(stack), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;\n")
        process.stdin.flush()
        process.stdout.readline()
        yield
        process.stdin.close()


def backlogs(stack, target, options, seconds):
    """Rates of the backlogs that were delivered in that time."""
    rates = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(rates) < 2:
        rates.append(deliver(stack, target, HOSTS, options.tasks).rate)
        progress(f"{rates[-1]:,.0f} webhooks/s")
    return rates


def row(name, rates):
    whole = len(rates) / sum(1 / rate for rate in rates)
    return whole, [name, f"{len(rates)}", f"{whole:,.0f}", f"{rates[0]:,.0f}", f"{rates[-1]:,.0f}"]


def run(stack, options):
    with receiver(HOSTS) as target:
        warmed_up(stack, target, HOSTS)
        free, without = row("without", backlogs(stack, target, options, options.hold))
        created_free = intake.rate_beside(stack, options.seconds or 10).rate
        forget_tasks(stack)
        warmed_up(stack, target, HOSTS)
        with held(stack):
            bound, beside = row("snapshot held", backlogs(stack, target, options, options.hold))
            created_bound = intake.rate_beside(stack, options.seconds or 10).rate
    rows = [[*without, "", f"{created_free:,.0f}", ""],
            [*beside, f"{bound / free:.2f} x", f"{created_bound:,.0f}", f"{created_bound / created_free:.2f} x"]]
    options.report.add(Table(f"snapshot: backlogs of {options.tasks:,} for {options.hold:.0f} s",
                             ["", "backlogs", "webhooks/s", "first", "last", "to without", "then creates/s", "to without"], rows))
    return True
