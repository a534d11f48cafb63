#!/usr/bin/python3
"""Runs the benchmarks, for `./dev bench [NAME...]`: docs/performance.md tells what each measures. Each runs on a stack of
its own, with its contenders in the same run, and prints tables; the exit status is 0 when every floor was reached.

Only the ratios are meaningful, because load, database and measured programs share one machine.
"""

import argparse
import importlib
import pathlib
import signal
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from harness import conditions, started_stack
from report import Report, machine, progress

# Each is a module of this folder with run(stack, options), and SETTINGS for its stack where it wants some.
BENCHES = {
    "intake": "creates per second, one per POST",
    "batch": "creates per second, 1,000 per POST",
    "dispatch": "webhooks per second from a backlog",
    "endtoend": "creates and webhooks per second at the same time; with --minutes, minute by minute",
    "latency": "from the acknowledgement to the webhook's arrival",
    "backlog": "webhooks per second beside millions of other rows",
    "lists": "pages of lists beside millions of finished tasks",
    "snapshot": "webhooks per second while a transaction holds a snapshot",
    "slow": "latency of healthy hosts while others never answer",
    "burst": "100,000 tasks due in one second",
    "schedules": "10,000 schedules due at once",
    "deps": "one task with 50,000 dependents; 100,000 tasks with one ordering key",
    "cells": "CPU per task with one cell and with two",
    "hosts": "what each more scheduler and handler costs and gives",
    "sizing": "rows, bytes, WAL and CPU per million tasks, and what follows from them",
    "idle": "what Postern costs when there is nothing to do",
    "soak": "mixed load for --minutes; nothing may be lost",
}


def arguments():
    parser = argparse.ArgumentParser(
        description="Measures Postern beside its ceilings and peers.", formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:10} {what}" for name, what in BENCHES.items()))
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of those below")
    parser.add_argument("--rounds", type=int, default=3, help="turns for each contender (intake, batch, dispatch, backlog)")
    parser.add_argument("--seconds", type=int, help="length of a turn; each benchmark has a default")
    parser.add_argument("--minutes", type=float, help="length of endtoend and soak")
    parser.add_argument("--tasks", type=int, default=40_000, help="webhooks in a backlog")
    parser.add_argument("--scale", type=float, default=1, help="shrinks backlog, lists, burst, schedules and deps")
    parser.add_argument("--hold", type=float, default=180, help="seconds for which snapshot holds its transaction")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="without the peers")
    parser.add_argument("--markdown", metavar="FILE", help="also write the tables there")
    options = parser.parse_args()
    for name in options.names:
        if name not in BENCHES:
            parser.error(f"there is no benchmark {name}; choose from: {', '.join(BENCHES)}")
    return options


def main():
    options = arguments()
    options.report = Report(options.markdown)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up like Ctrl-C
    reached = []
    for name in options.names or BENCHES:
        bench = importlib.import_module(name)
        progress(f"{name}: {BENCHES[name]}")
        with started_stack(getattr(bench, "SETTINGS", None)) as stack:
            options.report.begin(f"{machine(stack.dir)}; {conditions(stack)}")
            try:
                reached.append(bench.run(stack, options))
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                print(f"{name} failed: {error}", flush=True)  # the others go on
                reached.append(False)
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
