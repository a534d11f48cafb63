"""Measures whether cells cost each other anything: CPU per task, from the create to the settled webhook, with one cell at a load
and with two cells of half the load each, behind one nginx with cells.conf; and without cells.conf, for what its maps cost. In turns,
and each cell is the one alone as often as the other.

Two things besides are in the figures. A set of programs costs something when it is idle, which is measured and taken off. And a
cell with half the load has half as many tasks in each commit and claim, so a task costs more there, with tasks that come one by
one: that is shown by one cell alone at half the load. With tasks that come in batches it is no matter.
"""

import contextlib
import dataclasses
import pathlib
import statistics
import sys
import time

import cpu
from dispatch import HOSTS
from harness import forget_tasks, running_stack, temporary_folder, wait_until
from posts import BATCH, Background, creates, task
from report import Table, progress
from target import receiver

# The pair of the tests imports their harness, which bears the name of the benches' own.
OWN = sys.modules.pop("harness")
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "cells"))
from pair import Pair

sys.modules["harness"] = OWN

BOUND = 1.05
# What comes in, creates per second in all, tasks in each, and what two cells are held to.
LOADS = [("one task per POST", 2_000, None, "half"), ("100 tasks per POST", 40, 100, "one")]
IDLE = 5  # seconds
PARTS = ("nginx", "handlers", "scheduler", "PostgreSQL")


@dataclasses.dataclass
class Bench:
    plain: object  # without cells.conf
    pair: Pair
    target: object
    seconds: int

    def meter(self, cells):
        groups = {f"{number} {name}": pid for number, stack in enumerate(cells) for name, pid in cpu.stack_groups(stack).items() if pid}
        if self.plain not in cells:
            groups |= {"the nginx": self.pair.programs["nginx"].pid}  # of both
            groups.pop("0 nginx", None)
        return cpu.Meter(groups).start()

    def load(self, cell, body, path, options):
        """All cells' requests come in at the vhost that is nobody's own, where the key names the cell."""
        made = creates(cell, body, **path, **options)
        return made if cell is self.plain else dataclasses.replace(made, port=self.pair.state["front_port"])

    def idle(self, cells):
        """Microseconds per second of one cell without work."""
        running, begun = self.meter(cells), time.monotonic()
        time.sleep(IDLE)
        used = by_part(running.per_task(time.monotonic() - begun))
        return {part: value / len(cells) for part, value in used.items()}

    def turn(self, cells, rate, batch, idles):
        """Loads the cells with `rate` creates per second together; CPU per task, without what they cost idle."""
        self.target.reset()
        body, path = task(self.target.port), {"path": BATCH} if batch else {}
        options = {"rate": rate / len(cells), "seconds": self.seconds, "hosts": HOSTS, "connections": 32, **({"batch": batch} if batch else {})}
        running, begun = self.meter(cells), time.monotonic()
        with contextlib.ExitStack() as stack:
            loads = [stack.enter_context(Background(self.load(cell, body, path, options))) for cell in cells]
            tasks = sum(load.result()["answers"] for load in loads) * (batch or 1)
        wait_until(lambda: self.target.count() >= tasks, f"{tasks} webhooks", 60)
        lasted = time.monotonic() - begun
        used = by_part(running.per_task(tasks))
        for cell in cells:
            forget_tasks(cell)
        return {part: value - idles[part] * lasted * len(cells) / tasks for part, value in used.items()}

    def compared(self, report, load, rounds):
        name, rate, batch, held_to = load
        both = [self.pair, self.pair.b]
        idles = self.idle(both)
        turns = {"two": [], "one": [], "half": [], "plain": []}
        for number in range(rounds):
            alone = [both[number % 2]]
            for contender, cells, part in (("one", alone, 1), ("two", both, 1), ("half", alone, 0.5), ("plain", [self.plain], 1)):
                turns[contender].append(self.turn(cells, rate * part, batch, idles))
                progress(f"{name}: round {number + 1}: {contender}: {sum(turns[contender][-1].values()):.0f} µs")
        tasks = rate * (batch or 1)
        names = {"two": f"two cells, {tasks // 2:,}/s each", "one": f"one cell, {tasks:,}/s", "half": f"one cell, {tasks // 2:,}/s",
                 "plain": f"without cells.conf, {tasks:,}/s"}
        ratios = {other: [sum(two.values()) / sum(each.values()) for two, each in zip(turns["two"], turns[other])] for other in turns}
        rows = []
        for contender, found in turns.items():
            median = {part: statistics.median(each[part] for each in found) for part in PARTS}
            ratio = [] if contender == "two" else ratios[contender]
            rows.append([names[contender], f"{statistics.median(sum(each.values()) for each in found):.0f}",
                         f"{statistics.median(ratio):.2f} x" if ratio else "", " ".join(f"{each:.2f}" for each in ratio), cpu.text(median)])
        report.add(Table(
            f"cells: CPU per task, {name}; idle programs taken off", ["", "CPU, µs per task", "two cells cost", "rounds", "of these"], rows,
            f"A cell that is idle uses {sum(idles.values()):,.0f} µs per second: {cpu.text(idles)}."))
        return statistics.median(ratios[held_to]) <= BOUND


def by_part(used):
    return {part: sum(value for name, value in used.items() if name.endswith(part)) for part in PARTS}


def run(stack, options):
    with receiver(HOSTS) as target, temporary_folder() as folder, running_stack(Pair(folder)) as pair:
        bench = Bench(stack, pair, target, options.seconds or 8)
        for cell in (stack, pair, pair.b):
            bench.load(cell, task(target.port), {}, {"hosts": HOSTS, "seconds": 1}).run()  # warm-up
            forget_tasks(cell)
        return all([bench.compared(options.report, load, options.rounds) for load in LOADS])
