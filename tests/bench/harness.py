"""Common parts of the benchmarks: programs to run, a stack to measure, its database and its API."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

from stack import Stack

HERE = pathlib.Path(__file__).resolve().parent


def output_of(*command, timeout=1800, **options):
    """Runs a program, which must succeed, and returns its standard output."""
    command = [str(part) for part in command]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=timeout, **options).stdout


def output_and_cpu_of(*command):
    """The same, and the seconds of CPU time that it used."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    with process.stdout:
        output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return output, usage.ru_utime + usage.ru_stime


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
        if process.stdout:
            process.stdout.close()


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
def started_stack(settings=None):
    """Runs a complete Postern for the duration of the block, and deletes it afterwards."""
    with temporary_folder() as folder, running_stack(Stack(folder, settings)) as stack:
        yield stack


@contextlib.contextmanager
def running_stack(stack):
    try:
        stack.start()
        yield stack
    finally:
        # A second Ctrl-C must not leave a running PostgreSQL behind.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        stack.kill()
        signal.signal(signal.SIGINT, before)


def restart_scheduler(stack):
    """A scheduler that knows nothing yet of the receivers. What it had in flight is forgotten: for empty tables only."""
    stack.programs["scheduler"].stop(signal.SIGKILL)
    stack.start()


@contextlib.contextmanager
def frozen(pid):
    """Stops a program for the duration of the block, so that a backlog is there as a whole when it goes on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def psql_command(stack, database="postern"):
    """psql as superuser, which prints rows as text."""
    return [stack.postgres.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", stack.postgres.url(database=database)]


def psql(stack, *arguments, database="postern"):
    """Runs psql with arguments of its own, as -c or -f. Returns the rows as text."""
    return output_of(*psql_command(stack, database), *arguments).strip()


def forget_tasks(stack):
    """Resets the database, so that every turn begins with empty tables and no checkpoint is due."""
    tables = psql(stack, "-c", "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables WHERE "
                  "schemaname = 'postern' AND tablename IN ('task', 'lease', 'dependency', 'sequel')")
    # A statement of the scheduler that locks the same tables in another order makes one of the two fail.
    emptied = [*psql_command(stack), "-c", f"TRUNCATE {tables}, postern.task_finished", "-c", "CHECKPOINT"]
    wait_until(lambda: subprocess.run(emptied, capture_output=True, check=False).returncode == 0, "the tables are empty")


def completed(stack, queue="bench"):
    """How many tasks of the queue have been completed, by the counters, which cost nothing to read."""
    return int(psql(stack, "-c", "SELECT coalesce(sum(value), 0) FROM postern.counter WHERE tenant = 'default' AND "
                    f"queue = '{queue}' AND name = 'finished_completed'"))


def conditions(stack):
    """The settings that the figures depend on, for the heading."""
    names = ("fsync", "full_page_writes", "synchronous_commit", "shared_buffers")
    settings = ", ".join(f"{name} {psql(stack, '-c', f'SHOW {name}')}" for name in names)
    version = psql(stack, "-c", "SHOW server_version").split()[0]
    return f"PostgreSQL {version}: {settings}"


def key_header(stack):
    return f"Authorization: Bearer {stack.env['POSTERN_ADMIN_KEY']}"


def api(stack, method, path, body=None):
    """One request through nginx; returns the JSON of the answer."""
    name, value = key_header(stack).split(": ", 1)
    request = urllib.request.Request(stack.url + path, method=method, headers={name: value, "Content-Type": "application/json"},
                                     data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or "null")
