"""Common parts of the benchmarks: a stack to measure, contenders that take turns, a table of the results."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import Callable, Optional

from stack import Stack

HERE = pathlib.Path(__file__).resolve().parent


def output_of(*command):
    """Runs a program, which must succeed within a few minutes, and returns its standard output."""
    command = [str(part) for part in command]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout


@contextlib.contextmanager
def running(*command, **options):
    """Runs a program in the background for the duration of the block."""
    process = subprocess.Popen([str(part) for part in command], text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def wait_until(condition, what, seconds=30, every=0.05):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(every)


@contextlib.contextmanager
def temporary_folder():
    """A temporary folder on a disk. /tmp may be in memory, where fsync costs nothing."""
    folder = tempfile.mkdtemp(prefix="postern-bench-", dir="/var/tmp")
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def started_stack():
    """Runs a complete Postern for the duration of the block, and deletes it afterwards."""
    with temporary_folder() as folder:
        stack = Stack(folder)
        try:
            stack.start()
            yield stack
        finally:
            # A second Ctrl-C must not leave a running PostgreSQL behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            stack.kill()


def psql(stack, *arguments):
    """psql as superuser; `arguments` are its own, as -c or -f. Returns the rows as text."""
    command = [stack.postgres.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", stack.postgres.url()]
    return output_of(*command, *arguments).strip()


def forget_tasks(stack):
    """Resets the database, so that every turn begins with empty tables and no checkpoint is due."""
    psql(stack, "-c", "TRUNCATE postern.task, postern.lease, postern.task_finished", "-c", "CHECKPOINT")


def conditions(stack):
    """The conditions that the figures depend on, for the heading."""
    names = ("fsync", "full_page_writes", "synchronous_commit")
    settings = ", ".join(f"{name} {psql(stack, '-c', f'SHOW {name}')}" for name in names)
    version = psql(stack, "-c", "SHOW server_version").split()[0]
    return f"{os.cpu_count()} cores; PostgreSQL {version}: {settings}"


@dataclasses.dataclass
class Contender:
    """One of the programs that are compared. A benchmark's first contender is Postern."""

    name: str
    turn: Callable[[], float]  # does the work for some seconds and returns the rate
    floor: Optional[float] = None  # the share of this rate that Postern must reach


def compare(title, contenders, rounds):
    """Runs the contenders in turns, so that noise of the machine affects all alike, and prints a table.
    True when Postern has reached every floor."""
    rates = {contender.name: [] for contender in contenders}
    for number in range(1, rounds + 1):
        for contender in contenders:
            rate = contender.turn()
            rates[contender.name].append(rate)
            print(f"round {number}: {contender.name}: {rate:,.0f}/s", file=sys.stderr, flush=True)

    postern = statistics.median(rates[contenders[0].name])
    reached = True
    print(f"\n{title}")
    print(f"{'':30}{'median/s':>10}  {'Postern is':>10}  {'floor':>6}  {'':8}  rounds")
    for contender in contenders:
        median = statistics.median(rates[contender.name])
        share = "" if contender is contenders[0] else f"{postern / median:.2f} x"
        floor = verdict = ""
        if contender.floor is not None:
            enough = postern >= contender.floor * median
            reached = reached and enough
            floor = f"{contender.floor:.2f}"
            verdict = "reached" if enough else f"{postern / median / contender.floor - 1:+.0%}"
        turns = " ".join(f"{rate:,.0f}" for rate in rates[contender.name])
        print(f"{contender.name:30}{median:>10,.0f}  {share:>10}  {floor:>6}  {verdict:8}  {turns}")
    return reached
