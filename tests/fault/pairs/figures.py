"""The victim's figures of a phase, the programs' memory, and the judgement."""

import json
import math
import os
import pathlib
import re

REPO = pathlib.Path(__file__).resolve().parents[3]
# What p99 may grow to while another tenant attacks: so many times what it was, and so many milliseconds; of the schedule that is
# its resolution.
TIMES, MOST_MS = 3, {"create": 100, "delivery": 100, "schedule": 1000}
MIB = 1 << 20


def quantile(values, part):
    """The value that `part` of them do not exceed; NaN without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else math.nan


def figures(report, occurrences, begin, end):
    """A dict of the phase from `begin` to `end`, in milliseconds. `report` is the victim's, `occurrences` are pairs of the
    time a schedule's occurrence was due and how late it made its task. What never came is infinitely late."""
    def within(samples):
        return [math.inf if sample[1] is None else sample[1] for sample in samples if begin <= sample[0] < end]

    def statuses():
        return [sample[2] for kind in ("create", "read") for sample in report[kind] if begin <= sample[0] < end]

    create, delivery, chain = within(report["create"]), within(report["delivery"]), within(report["chain"])
    schedule = within(occurrences)
    late = within(report["late"]) + schedule
    return {
        "create": quantile(create, 0.5), "create_p99": quantile(create, 0.99), "created": len(create),
        "delivery": quantile(delivery, 0.5), "delivery_p99": quantile(delivery, 0.99), "missing": delivery.count(math.inf),
        "chain": quantile(chain, 0.5), "chains_missing": chain.count(math.inf),
        "schedule": quantile(schedule, 0.5), "schedule_p99": quantile(schedule, 0.99),
        "late": max(late, default=math.nan),
        "longest": max([*create, *delivery, *chain, *late], default=math.nan),
        "refused": sum(0 < status < 500 and status not in (200, 201) for status in statuses()),
        "failed": sum(status == 0 or status >= 500 for status in statuses()),
    }


def slower(before, during):
    """Which of creation, delivery and schedule became slower than they may: a text, empty if none. A matter of the machine and
    its other load, so the table shows it and no test fails by it."""
    found = []
    for what, most in MOST_MS.items():
        was, became = before[f"{what}_p99"], during[f"{what}_p99"]
        if not became <= TIMES * was:
            found.append(f"{what} {became / was:.1f} x" if became < math.inf else f"{what}: never")
        elif became > most:
            found.append(f"{what} {became:.0f} ms")
    return ", ".join(found)


class Memory:
    """Resident memory of the three programs in bytes, from /proc: the greatest since `reset`."""

    def __init__(self, stack):
        self._stack = stack

    def pids(self):
        """The processes by program; nginx has workers."""
        programs = self._stack.programs
        nginx = programs["nginx"].pid
        children = pathlib.Path(f"/proc/{nginx}/task/{nginx}/children").read_text().split() if nginx else []
        return {"handlers": [programs["fcgi"].pid], "scheduler": [programs["scheduler"].pid],
                "nginx": [nginx, *map(int, children)]}

    def reset(self):
        for pids in self.pids().values():
            for pid in filter(None, pids):
                pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def now(self):
        return self._of("VmRSS")

    def peak(self):
        return self._of("VmHWM")

    def _of(self, what):
        return {program: sum(_status(pid, what) for pid in pids if pid) for program, pids in self.pids().items()}


def _status(pid, what):
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(rf"^{what}:\s+(\d+) kB", text, re.M)
    return int(found[1]) * 1024 if found else 0


def memory_limits():
    """What the units allow. nginx's unit is Debian's and has no limit: it is to get along with what the handlers have."""
    def limit(unit):
        number, suffix = re.search(r"^MemoryMax=(\d+)([MG])$", (REPO / "systemd" / unit).read_text(), re.M).groups()
        return int(number) * {"M": MIB, "G": 1024 * MIB}[suffix]

    handlers = limit("postern-fcgi.service")
    return {"handlers": handlers, "scheduler": limit("postern-scheduler@.service"), "nginx": handlers}


def write_row(row):
    """Leaves the row for table.py in the folder that POSTERN_ATTACKS names, if any."""
    if folder := os.environ.get("POSTERN_ATTACKS"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        (pathlib.Path(folder) / f"{row['row']:02}_{row['name']}.json").write_text(json.dumps(row))
