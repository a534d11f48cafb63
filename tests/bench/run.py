#!/usr/bin/python3
"""Runs the benchmarks, for `./dev bench [NAME...]`. Each measures Postern and its contenders in the same run, on
a stack of its own, and prints a table; the exit status is 0 when every floor was reached.

Only the ratios are meaningful, because load, database and measured programs share one machine.
"""

import argparse
import pathlib
import signal
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import batch
import dispatch
import intake
from harness import conditions, started_stack

BENCHES = {"intake": intake.run, "batch": batch.run, "dispatch": dispatch.run}


def main():
    parser = argparse.ArgumentParser(description="Measures Postern beside its ceilings.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="turns for each contender")
    parser.add_argument("--seconds", type=int, default=5, help="length of a turn (intake, batch)")
    parser.add_argument("--tasks", type=int, default=40_000, help="webhooks in a turn (dispatch)")
    options = parser.parse_args()
    for name in options.names:
        if name not in BENCHES:
            parser.error(f"there is no benchmark {name}; choose from: {', '.join(BENCHES)}")

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up like Ctrl-C
    with started_stack() as stack:
        print(conditions(stack))
        reached = [BENCHES[name](stack, options) for name in options.names or BENCHES]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
