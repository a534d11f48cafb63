"""Measures what one more scheduler, and one more process of handlers, cost a cell and give it: transactions, connections and CPU
without work, and webhooks per second and CPU per task from a backlog with 1, 2 and 4 schedulers. All of it on one machine, so
more schedulers are faster only as far as its cores are free."""

import contextlib
import signal
import statistics
import subprocess
import time

import cpu
from dispatch import HOSTS, insert_ready
from harness import completed, forget_tasks, frozen, psql, wait_until
from idle import memory_mib, transactions
from process import Process
from report import Table, progress
from stack import BIN
from target import receiver

SCHEDULERS = (1, 2, 4)
HANDLERS = 4


class Programs:
    """More programs of one kind beside those of the stack."""

    def __init__(self, stack, program, role):
        self.stack, self.program, self.role = stack, program, role
        self.processes = []

    def grow(self, count):
        while len(self.processes) < count:
            name = f"more-{self.program}-{len(self.processes)}"
            process = Process(self.stack.run / f"{name}.pid")
            environment = {**self.stack._environment(self.role), "POSTERN_LISTEN": f"unix:{self.stack.run / name}.sock"}
            own = ["--name", name] if self.program == "postern-scheduler" else []
            with open(self.stack.log / f"{name}.log", "ab") as log:
                process.spawn([BIN / self.program, *own], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
            self.processes.append(process)
        time.sleep(2)  # their first looks are over

    def close(self):
        for process in self.processes:
            process.stop(signal.SIGKILL)

    @property
    def pids(self):
        return [process.pid for process in self.processes]


def without_work(stack, more, seconds):
    """What the database and the programs `more` do: transactions/s, and CPU microseconds/s of PostgreSQL and of each program."""
    psql(stack, "-c", "SELECT pg_stat_force_next_flush()")
    groups = {"PostgreSQL": stack.programs["postgres"].pid, **{str(pid): pid for pid in more}}
    meter, before, begun = cpu.Meter(groups).start(), transactions(stack), time.monotonic()
    time.sleep(seconds)
    lasted = time.monotonic() - begun
    used = meter.per_task(lasted)
    each = [used[str(pid)] for pid in more]
    return (transactions(stack) - before - 1) / lasted, used["PostgreSQL"], statistics.mean(each) if each else 0


def connections(stack, program):
    return int(psql(stack, "-c", f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{program}'"))


def idle_rows(stack, schedulers, handlers, seconds):
    rows, before = [], {}
    for what, programs, own, counts in (("schedulers", schedulers, ["scheduler"], SCHEDULERS), ("more handlers", handlers, [], (0, HANDLERS))):
        for count in counts:
            programs.grow(count - len(own))
            pids = [stack.programs[name].pid for name in own] + programs.pids
            rate, server, each = without_work(stack, pids, seconds)
            at = before.setdefault(what, (count, rate, server))
            more = count - at[0]
            rows.append([f"{count} {what}", f"{rate:.1f}", f"{server:,.0f}", f"{each:,.0f}", str(connections(stack, programs.program)),
                         f"{memory_mib(pids[-1]):.0f}" if pids else "",
                         f"{(rate - at[1]) / more:.1f} and {(server - at[2]) / more:,.0f}" if more else ""])
            progress(f"idle: {count} {what}")
        if what == "schedulers":
            schedulers.close()
            schedulers.processes.clear()
            time.sleep(1)
    return rows


def deliver(stack, target, pids, tasks):
    target.reset()
    before = completed(stack)
    with contextlib.ExitStack() as still:
        for pid in pids:
            still.enter_context(frozen(pid))
        insert_ready(stack, target, HOSTS, tasks)
        meter = cpu.Meter({"PostgreSQL": stack.programs["postgres"].pid, "receiver": target.process.pid,
                           **{str(pid): pid for pid in pids}}).start()
    wait_until(lambda: target.count() >= tasks, f"{tasks} webhooks", 600, every=0.2)
    wait_until(lambda: completed(stack) - before >= tasks, f"{tasks} tasks completed", every=0.2)
    used = meter.per_task(tasks)
    forget_tasks(stack)
    return target.rate(tasks), {"schedulers": sum(used[str(pid)] for pid in pids), "PostgreSQL": used["PostgreSQL"],
                                "receiver": used["receiver"]}


def busy_rows(stack, schedulers, options):
    turns = {count: [] for count in SCHEDULERS}
    with receiver(HOSTS) as target:
        for number in range(options.rounds):
            for count in SCHEDULERS:
                schedulers.grow(count - 1)
                pids = [stack.programs["scheduler"].pid, *schedulers.pids]
                if not number:
                    deliver(stack, target, pids, 4_000)  # they get to know the lanes
                turns[count].append(deliver(stack, target, pids, options.tasks))
                progress(f"round {number + 1}: {count} schedulers: {turns[count][-1][0]:,.0f} webhooks/s")
            schedulers.close()
            schedulers.processes.clear()
    rows, first = [], None
    for count, found in turns.items():
        median = statistics.median(rate for rate, _ in found)
        first = first or median
        used = {name: statistics.median(each[name] for _, each in found) for name in found[0][1]}
        rows.append([f"{count} schedulers", f"{median:,.0f}", f"{median / first:.2f} x", " ".join(f"{rate:,.0f}" for rate, _ in found),
                     f"{sum(used.values()) - used['receiver']:.0f}", cpu.text(used)])
    return rows


def run(stack, options):
    seconds = options.seconds or 20
    schedulers = Programs(stack, "postern-scheduler", "postern_scheduler")
    handlers = Programs(stack, "postern-fcgi", "postern_api")
    try:
        options.report.add(Table(
            f"hosts: programs without work for {seconds} s", ["", "transactions/s", "PostgreSQL, µs/s", "each program, µs/s", "connections",
                                                              "MiB of one", "each one more: transactions/s and µs/s of PostgreSQL"],
            idle_rows(stack, schedulers, handlers, seconds)))
        handlers.close()
        options.report.add(Table(
            f"hosts: a backlog of {options.tasks:,}, {HOSTS} hosts, 256 slots for each scheduler",
            ["", "webhooks/s", "to one", "rounds", "CPU, µs per task", "of these"], busy_rows(stack, schedulers, options)))
    finally:
        schedulers.close()
        handlers.close()
    return True
