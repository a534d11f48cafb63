"""Measures what Postern costs when there is nothing to do: transactions at the database, CPU, memory; whether the handlers
exit, and how long the first request takes after that."""

import pathlib
import re
import time

import cpu
from harness import api, psql, wait_until
from report import Table
from target import receiver

IDLE_EXIT = 5
SETTINGS = {"POSTERN_IDLE_EXIT": f"{IDLE_EXIT}s"}


def transactions(stack):
    """Committed and rolled back so far, of all sessions but this one."""
    return int(psql(stack, "-c", "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'postern'"))


def memory_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE).group(1)) / 1024


def create(stack, target):
    begun = time.monotonic()
    api(stack, "POST", "/v1/tasks", {"queue": "bench", "webhook_url": f"http://127.0.0.1:{target.port}/", "payload": {}})
    return (time.monotonic() - begun) * 1000


def run(stack, options):
    seconds = options.seconds or 60
    with receiver() as target:
        create(stack, target)
        warm = create(stack, target)
        wait_until(lambda: target.count() == 2, "the webhooks")
        handlers = memory_mib(stack.programs["fcgi"].pid)
        wait_until(lambda: not stack.programs["fcgi"].pid, "the handlers' exit", IDLE_EXIT + 30)

        psql(stack, "-c", "SELECT pg_stat_force_next_flush()")
        before, begun = transactions(stack), time.monotonic()
        meter = cpu.Meter(cpu.stack_groups(stack)).start()
        time.sleep(seconds)
        used = meter.per_task(time.monotonic() - begun)
        per_second = (transactions(stack) - before - 1) / (time.monotonic() - begun)
        scheduler = memory_mib(stack.programs["scheduler"].pid)
        if stack.programs["fcgi"].pid:
            raise RuntimeError("the handlers run although nobody asked for anything")
        cold = create(stack, target)
    options.report.add(Table(
        f"idle: {seconds:.0f} s without work", ["", ""],
        [["transactions/s at the database", f"{per_second:.1f}"],
         ["CPU, µs per second", cpu.text(used)],
         ["memory of the scheduler, MiB", f"{scheduler:.0f}"],
         ["memory of the handlers before their exit, MiB", f"{handlers:.0f}"],
         [f"handlers exit after {IDLE_EXIT} s", "yes"],
         ["a create, ms", f"{warm:.0f}"],
         ["the first create after the exit, ms", f"{cold:.0f}"]]))
    return True
