"""Tables of results: on the terminal and, with --markdown, in a file; and the comparison of contenders in turns."""

import dataclasses
import os
import pathlib
import platform
import re
import statistics
import sys
import time
from typing import Callable, Optional

import cpu


@dataclasses.dataclass
class Table:
    title: str
    columns: list
    rows: list  # lists of cells, which are texts
    note: str = ""

    def text(self):
        lines = [self.columns, *self.rows]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.columns))]
        # The first column and the long last ones are texts, the others numbers.
        padded = ["  ".join(cell.ljust(width) if at == 0 or width > 24 else cell.rjust(width)
                            for at, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines]
        return "\n".join(["", self.title, *padded, *([self.note] if self.note else [])])

    def markdown(self):
        ruler = ["---"] + ["---:"] * (len(self.columns) - 1)
        lines = [f"| {' | '.join(line)} |" for line in (self.columns, ruler, *self.rows)]
        return "\n".join([f"### {self.title}", "", *lines, *(["", self.note] if self.note else [])]) + "\n"


class Report:
    def __init__(self, path=None):
        self.path = path and pathlib.Path(path)
        self.heading = ""
        self.tables = []

    def begin(self, heading):
        """`heading`: the conditions that the figures depend on."""
        if not self.heading:
            self.heading = heading
            print(heading, flush=True)

    def add(self, table):
        """Prints the table; the file is complete after each, so that an end halfway loses none."""
        self.tables.append(table)
        print(table.text(), flush=True)
        if self.path:
            self.path.write_text("\n".join([self.heading + "\n", *(table.markdown() for table in self.tables)]))


def progress(text):
    print(text, file=sys.stderr, flush=True)


def machine(folder):
    """The machine, and what a flush in `folder` costs there."""
    model = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{time.strftime('%Y-%m-%d')}; {os.cpu_count()} cores ({model[1] if model else platform.machine()}), "
            f"{memory:.0f} GiB, Linux {platform.release().split('-')[0]}, load average before {os.getloadavg()[0]:.1f}; "
            f"fdatasync of 8 KiB {_flush_ms(folder):.2f} ms")


def _flush_ms(folder):
    took = []
    path = pathlib.Path(folder) / "flush"
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    for _ in range(50):
        begun = time.monotonic()
        os.pwrite(file, b"x" * 8192, 0)
        os.fdatasync(file)
        took.append(time.monotonic() - begun)
    os.close(file)
    path.unlink()
    return statistics.median(took) * 1000


@dataclasses.dataclass
class Turn:
    """What came of one turn of a contender."""

    rate: float  # per second
    cpu: dict = dataclasses.field(default_factory=dict)  # microseconds per task, by program


@dataclasses.dataclass
class Contender:
    """One of the programs that are compared. The first of a comparison is Postern."""

    name: str
    turn: Callable[[], Turn]  # does the work for some seconds
    floor: Optional[float] = None  # the share of this rate that Postern must reach


def compare(report, title, contenders, rounds, what="/s"):
    """Runs the contenders in turns, so that noise of the machine affects all alike, and adds a table. Returns whether
    Postern has reached every floor."""
    turns = {contender.name: [] for contender in contenders}
    for number in range(1, rounds + 1):
        for contender in contenders:
            turn = contender.turn()
            turns[contender.name].append(turn)
            progress(f"round {number}: {contender.name}: {turn.rate:,.0f}{what}")

    def median(contender):
        return statistics.median(turn.rate for turn in turns[contender.name])

    postern = median(contenders[0])
    reached = True
    rows = []
    for contender in contenders:
        floor = ""
        if contender.floor is not None:
            share = postern / median(contender) / contender.floor
            reached = reached and share >= 1
            floor = f"{contender.floor:.2f} " + ("reached" if share >= 1 else f"{share - 1:+.0%}")
        is_first = contender is contenders[0]
        rows.append(rate_row(contender.name, turns[contender.name], None if is_first else postern, floor))
    report.add(Table(title, ["", f"median{what}", "Postern is", "floor", "rounds", "CPU, µs per task"], rows))
    return reached


def rate_row(name, turns, of=None, *more):
    """The cells of some turns: their median, which part of it the rate `of` is, and what they used."""
    median = statistics.median(turn.rate for turn in turns)
    return [name, f"{median:,.0f}", "" if of is None else f"{of / median:.2f} x", *more,
            " ".join(f"{turn.rate:,.0f}" for turn in turns), cpu.text(_median_cpu(turns))]


def _median_cpu(turns):
    return {name: statistics.median(turn.cpu.get(name, 0) for turn in turns) for name in turns[0].cpu}
