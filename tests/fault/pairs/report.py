#!/usr/bin/python3
"""Prints the attacks that left a row in a folder as a table: report.py FOLDER. Nothing when there is none."""

import json
import math
import pathlib
import sys

PROGRAMS = ("handlers", "scheduler", "nginx")
HEADINGS = ["#", "attack", "create p99, ms", "delivery p99, ms", "chain p50, ms", "lateness, ms", "schedule p99, ms", "5xx", "memory, MiB",
            "the attacker gets", "held"]


def number(value):
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def cells(row):
    phases = row["before"], row["during"], row["after"]

    def each(what):
        return " / ".join(number(phase[what]) for phase in phases)

    memory = " / ".join(f"{row['memory'][program] >> 20}" for program in PROGRAMS)
    held = "NO: " + row["broken"] if row["broken"] else f"yes, but slower: {row['slower']}" if row["slower"] else "yes"
    return [str(row["row"]), row["what"], each("create_p99"), each("delivery_p99"), each("chain"), each("late"), each("schedule_p99"),
            " / ".join(str(phase["failed"]) for phase in phases), memory, row["seen"], held]


def table(rows):
    """Markdown."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *map(cells, rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main(folder):
    rows = [json.loads(file.read_text()) for file in sorted(pathlib.Path(folder).glob("*.json"))]
    if not rows:
        return
    size = "at full size" if all(row["full"] for row in rows) else "smaller than it says, for every day"
    print(f"\nOne tenant attacks, another works ({size}). Its figures before / during / after; peak memory of "
          f"{' / '.join(PROGRAMS)}:\n\n{table(rows)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
