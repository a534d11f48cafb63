#!/usr/bin/python3
"""Faults of many kinds under load, in an order by chance: nothing is lost, and how long each takes to recover.

kills_test.py SIZE   short: 2,000 acknowledged tasks and a few faults
                     whole: 20,000, with 3 kills of each program
                     long: 100,000, with 20 kills of each program and 5 immediate stops of PostgreSQL

Prints a table; the file kills.md in the build folder has it too. POSTERN_SEED repeats a run's tasks and the order
of its faults.
"""

import collections
import random
import statistics
import subprocess
import sys
import time
import unittest

from proof import BIN, BOUND, Proof
from process import Process

SIZES = {"short": 2_000, "whole": 20_000, "long": 100_000}
SIZE = sys.argv.pop() if sys.argv[-1] in SIZES else "whole"
TASKS, COLUMN = SIZES[SIZE], list(SIZES).index(SIZE)
CLIENTS = 32
# (what is done, how often in each size, how, what its figures are)
FAULTS = [
    ("kill -9 scheduler", (1, 3, 20), Proof.kill_scheduler, "delivery", "rescue"),
    ("kill -9 handlers", (2, 3, 20), Proof.kill_handlers, "create"),
    ("immediate stop of PostgreSQL", (1, 1, 5), Proof.stop_postgres, "create", "delivery"),
    ("SIGTERM scheduler", (1, 1, 5), Proof.drain_scheduler, "end", "delivery"),
    ("SIGTERM handlers", (0, 1, 5), Proof.drain_handlers, "create"),
    ("nginx reload", (0, 1, 5), Proof.reload_nginx, "create"),
    ("SIGSTOP scheduler", (0, 0, 3), lambda proof: proof.freeze_scheduler(proof.another), "rescue"),
    *((f"commit: {fault}", (1, 1, 5), lambda proof, fault=fault: proof.cut(fault), "create")
      for fault in ("swallow", "cut")),
    *((f"commit: {fault}", (0, 1, 5), lambda proof, fault=fault: proof.cut(fault), "create")
      for fault in ("cut early", "stall")),
]


class Kills(unittest.TestCase):
    def another(self, name):
        """A second scheduler, until the end of the test."""
        stack = self.proof.stack
        process = Process(stack.run / f"{name}.pid")
        self.addCleanup(process.stop, 9)
        with open(stack.log / f"{name}.log", "ab") as log:
            process.spawn([BIN / "postern-scheduler", "--name", name], stdout=log, stderr=log,
                          stdin=subprocess.DEVNULL, env=stack._environment("postern_scheduler"))
        return process

    def test_nothing_is_lost(self):
        settings = {"POSTERN_RESCUE_AFTER": "2s"} if SIZE == "short" else {}
        with Proof(settings, proxied=True) as self.proof:
            proof, dice, began = self.proof, random.Random(), time.monotonic()
            dice.seed(proof.seed)
            proof.another = self.another
            order = [fault for fault in FAULTS for _ in range(fault[1][COLUMN])]
            dice.shuffle(order)
            proof.load(clients=CLIENTS, calm=SIZE == "short")
            figures = collections.defaultdict(list)
            for number, fault in enumerate(order):
                proof.until(TASKS * (number + dice.random()) / len(order))
                figures[fault[0]].append(fault[2](proof))
                print(f"{time.monotonic() - began:.0f} s: {fault[0]}, {proof.generator.acked} tasks", flush=True)
            proof.until(TASKS)
            loaded = time.monotonic() - began
            checker = proof.finish()
            table = self.table(checker, figures, loaded, time.monotonic() - began)
            print(table, flush=True)
            (BIN.parent / "kills.md").write_text(table)
            self.assertEqual(checker.report(), "")
            self.assertGreaterEqual(len(checker.acked), TASKS)
            self.assertEqual(checker.lost, 0)
            if SIZE != "short":  # the faults were no pretence
                self.assertGreater(len(checker.repeats), 0)
            for program, used in proof.memory.items():
                self.assertLess(used, 512 << 10, program)
            if SIZE == "long":
                self.assertIn("lease lost", (proof.stack.log / "scheduler.log").read_text())

    def table(self, checker, figures, loaded, whole):
        lines = ["| fault | times | repeated by each, at most | may repeat | seconds until, median and most |",
                 "|---|---|---|---|---|"]
        for name, _, _, *whats in FAULTS:
            if name not in figures:
                continue
            faults = [fault for fault in checker.faults if fault.kind == name]
            most = max(sum(each is fault for _, each in checker.repeats) for fault in faults)
            times = "; ".join(f"{what} {statistics.median(column):.2f}, {max(column):.2f}"
                              for what, column in zip(whats, zip(*figures[name])))
            lines.append(f"| {name} | {len(faults)} | {most} | {faults[0].repeats} | {times} |")
        answers = collections.Counter(line["status"] for line in checker.outcomes.values())
        states = collections.Counter(row["state"] for row in checker.rows.values())
        memory = ", ".join(f"{program} {used >> 10} MiB" for program, used in sorted(self.proof.memory.items()))
        return "\n".join([
            *lines, "",
            f"Seed {self.proof.seed}: {len(checker.acked)} tasks acknowledged in {loaded:.0f} s, {checker.lost} lost; "
            f"{len(checker.rows)} rows: {dict(states)}.",
            f"{sum(map(len, checker.receipts.values()))} webhooks received, {len(checker.repeats)} of them repeated "
            "because of a fault, none without one." if "I11" not in checker.violations else "I11 is broken.",
            f"Answers to creates: {dict(sorted(answers.items()))}, 0: no answer. All was over {whole - loaded:.0f} s "
            f"after the load. Resident memory at most: {memory}.", ""])


if __name__ == "__main__":
    unittest.main()
