"""CPU time of programs, from /proc, as microseconds per task."""

import collections
import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")


def stack_groups(stack):
    """The processes of a stack: one group for each program, with its children."""
    pids = {name: process.pid for name, process in stack.programs.items()}
    return {"nginx": pids["nginx"], "handlers": pids["socket"], "scheduler": pids["scheduler"],
            "PostgreSQL": pids["postgres"]}


class Meter:
    """Measures what groups of processes use from `start` to `per_task`. A group is a process and its descendants."""

    def __init__(self, groups):
        self.groups = groups
        self.before = {}

    def start(self):
        self.before = _used(self.groups)
        return self

    def per_task(self, tasks, **seconds):
        """Microseconds per task of each group; `seconds` are those of programs that have ended."""
        after = _used(self.groups)
        used = {name: after[name] - self.before[name] for name in self.groups}
        return {name: value * 1e6 / max(tasks, 1) for name, value in {**used, **seconds}.items()}


def text(used):
    """The cell of a table."""
    return " · ".join(f"{name} {value:.0f}" for name, value in used.items() if value >= 0.5)


def _used(groups):
    """CPU seconds of each group. Descendants that have ended are in their parents' numbers, but between its end and that
    a process may be missed: so it reads until the same processes are there twice."""
    before = None
    while True:
        own, children = _processes()
        trees = {name: _tree(pid, children) for name, pid in groups.items()}
        if trees == before:
            return {name: sum(own.get(pid, 0) for pid in tree) / TICKS for name, tree in trees.items()}
        before = trees


def _tree(pid, children):
    return {pid}.union(*(_tree(child, children) for child in children[pid]))


def _processes():
    own, children = {}, collections.defaultdict(list)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = stat[stat.rindex(")") + 2:].split()
        own[int(pid)] = sum(map(int, fields[11:15]))  # utime, stime, and the same of children that were waited for
        children[int(fields[1])].append(int(pid))
    return own, children
