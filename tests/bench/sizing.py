"""Measures what a million tasks cost, from the create to the settled webhook and kept afterwards: bytes of tables and indexes, WAL,
CPU; for bodies of 200 bytes and of 4 KiB. From these it calculates disks, WAL and cores for rates and retentions, up to 100 cells.

The bodies are random text, so that PostgreSQL cannot make them smaller (--scale 0.1: a tenth of the tasks)."""

import random
import string
import time

import cpu
from dispatch import HOSTS
from harness import completed, forget_tasks, psql, wait_until
from posts import BATCH, creates, task
from report import Table, progress
from target import receiver

TASKS = 50_000
MILLION = 1_000_000
BODIES = (200, 4_096)
DAY = 86_400
# Tasks per second in all, and the cells that share them.
RATES = ((10, 1), (100, 1), (1_000, 1), (2_000, 1), (20_000, 10), (200_000, 100))
RETENTIONS = (1, 30)  # days
OF_HANDLERS, OF_SCHEDULER = 16, 4  # connections with the usual settings
OF_COMMAND, RESERVED = 1, 3  # the operator's, and PostgreSQL's superuser_reserved_connections
HOSTS_OF_A_CELL = 2
# Handlers that are replaced overlap with those that come.
CONNECTIONS = HOSTS_OF_A_CELL * (2 * OF_HANDLERS + OF_SCHEDULER) + OF_COMMAND + RESERVED


def text_of(size):
    return "".join(random.Random(size).choices(string.ascii_letters + string.digits, k=size))


def sizes(stack, tables):
    """Bytes of the rows, with what is stored beside them, and of the indexes."""
    sums = ", ".join(f"sum({function}(relid))" for function in ("pg_table_size", "pg_indexes_size"))
    found = psql(stack, "-c", f"SELECT {sums} FROM ({tables}) t(relid)")
    return [int(number) for number in found.split("|")]


LIVE = "SELECT 'postern.task'::regclass"
FINISHED = "SELECT relid FROM pg_partition_tree('postern.task_finished') WHERE isleaf"


def wal(stack):
    return int(psql(stack, "-c", "SELECT pg_current_wal_insert_lsn() - '0/0'"))


def measured(stack, target, size, tasks):
    """Of one size of body, for each task: bytes live and finished, of WAL, and microseconds of CPU."""
    body = text_of(size)
    forget_tasks(stack)
    before = sizes(stack, LIVE)
    creates(stack, task(target.port, delay=DAY, body=body), BATCH, count=tasks // 100, batch=100,
            connections=4, hosts=HOSTS, seconds=600).run()
    live = [(after - was) / tasks for after, was in zip(sizes(stack, LIVE), before)]
    forget_tasks(stack)
    target.reset()
    before, logged, over = sizes(stack, FINISHED), wal(stack), completed(stack)
    meter = cpu.Meter(cpu.stack_groups(stack)).start()
    creates(stack, task(target.port, body=body), count=tasks, hosts=HOSTS, seconds=600).run()
    wait_until(lambda: completed(stack) - over >= tasks, f"{tasks} tasks completed", 300, every=0.2)
    used = meter.per_task(tasks)
    finished = [(after - was) / tasks for after, was in zip(sizes(stack, FINISHED), before)]
    logged = (wal(stack) - logged) / tasks
    progress(f"bodies of {size} bytes: done")
    return {"live": live, "finished": finished, "wal": logged, "cpu": used}


def bytes_text(count):
    for unit in ("B", "KB", "MB", "GB", "TB", "PB"):
        if count < 1000 or unit == "PB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000


def per_million(found):
    rows = []
    for size, each in found.items():
        both = {name: bytes_text(sum(each[name]) * MILLION) for name in ("live", "finished")}
        parts = {name: " + ".join(bytes_text(part * MILLION) for part in each[name]) for name in ("live", "finished")}
        rows.append([f"{size:,} B", f"{both['live']} ({parts['live']})", f"{both['finished']} ({parts['finished']})",
                     bytes_text(each["wal"] * MILLION), f"{sum(each['cpu'].values()):.0f} s", cpu.text(each["cpu"])])
    return rows


def onward(found):
    rows = []
    for rate, cells in RATES:
        for size, each in found.items():
            disk = [bytes_text(sum(each["finished"]) * rate / cells * DAY * days) for days in RETENTIONS]
            rows.append([f"{rate:,}", f"{cells}", f"{size:,} B", f"{rate * DAY / MILLION:,.1f} M", *disk,
                         f"{bytes_text(each['wal'] * rate / cells)}/s", f"{sum(each['cpu'].values()) * rate / cells / MILLION:.2f}",
                         f"{CONNECTIONS}"])
    return rows


def run(stack, options):
    tasks = max(1_000, round(TASKS * options.scale))
    with receiver(HOSTS) as target:
        creates(stack, task(target.port), hosts=HOSTS, seconds=2).run()  # warm-up
        time.sleep(1)
        found = {size: measured(stack, target, size, tasks) for size in BODIES}
    options.report.add(Table(
        f"sizing: a million tasks, measured over {tasks:,} of each size, one attempt each",
        ["body", "waiting (rows + indexes)", "finished (rows + indexes)", "WAL, create to end", "CPU", "µs per task of these"], per_million(found)))
    options.report.add(Table(
        "sizing: calculated from these, each cell with two hosts",
        ["tasks/s", "cells", "body", "tasks a day", "disk of a cell, 1 day kept", "30 days kept", "WAL of a cell", "cores of a cell busy, at least",
         "max_connections of a cell, at least"], onward(found),
        "tasks/s and tasks a day are those of all cells. Cores are PostgreSQL's, the handlers', nginx's and the scheduler's together."))
    return True
