"""Measures webhooks per second from a backlog in an empty database, and in one that also holds a million tasks which are due
later and five million finished ones (--scale 0.1: a tenth of these).
"""

import statistics

from dispatch import HOSTS, deliver, warmed_up
from harness import HERE, psql
from report import Table, progress, rate_row
from target import receiver

DELAYED, FINISHED = 1_000_000, 5_000_000


def run(stack, options):
    delayed, finished = round(DELAYED * options.scale), round(FINISHED * options.scale)

    def turns(name):
        found = []
        for _ in range(options.rounds):
            psql(stack, "-c", "CHECKPOINT")
            found.append(deliver(stack, target, HOSTS, options.tasks))
            progress(f"{name}: {found[-1].rate:,.0f} webhooks/s")
        return found

    with receiver(HOSTS) as target:
        warmed_up(stack, target, HOSTS)
        empty = turns("empty")
        psql(stack, "-v", f"delayed={delayed}", "-v", f"finished={finished}", "-f", HERE / "backlog_rows.sql")
        full = turns("full")
    rate = statistics.median(turn.rate for turn in full)
    rows = [rate_row(f"beside {delayed:,} delayed and {finished:,} finished", full), rate_row("alone", empty, rate)]
    options.report.add(Table(f"backlog: {options.tasks:,} tasks, {HOSTS} hosts",
                             ["", "median webhooks/s", "the first is", "rounds", "CPU, µs per task"], rows))
    return True
