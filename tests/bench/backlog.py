"""Measures webhooks per second from a backlog, and creates per second, in an empty database, and in one that also holds a
million tasks which are due later and five million finished ones (--scale 0.1: a tenth of these).
"""

import statistics

import intake
from dispatch import HOSTS, deliver, warmed_up
from harness import HERE, psql
from report import Table, progress, rate_row
from target import receiver

DELAYED, FINISHED = 1_000_000, 5_000_000


def run(stack, options):
    delayed, finished = round(DELAYED * options.scale), round(FINISHED * options.scale)

    def turns(name):
        delivered, created = [], []
        for _ in range(options.rounds):
            psql(stack, "-c", "CHECKPOINT")
            delivered.append(deliver(stack, target, HOSTS, options.tasks))
            created.append(intake.rate_beside(stack, options.seconds or 5))
            progress(f"{name}: {delivered[-1].rate:,.0f} webhooks/s, {created[-1].rate:,.0f} creates/s")
        return delivered, created

    with receiver(HOSTS) as target:
        warmed_up(stack, target, HOSTS)
        empty = turns("empty")
        psql(stack, "-v", f"delayed={delayed}", "-v", f"finished={finished}", "-f", HERE / "backlog_rows.sql")
        full = turns("full")
    rows = []
    for what, beside, alone in (("webhooks", full[0], empty[0]), ("creates", full[1], empty[1])):
        rate = statistics.median(turn.rate for turn in beside)
        rows += [rate_row(f"{what} beside {delayed:,} delayed and {finished:,} finished", beside),
                 rate_row(f"{what} alone", alone, rate)]
    options.report.add(Table(f"backlog: {options.tasks:,} tasks, {HOSTS} hosts; creates over {intake.CONNECTIONS} connections",
                             ["", "median/s", "the one above is", "rounds", "CPU, µs per task"], rows))
    return True
