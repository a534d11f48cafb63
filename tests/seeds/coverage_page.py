#!/usr/bin/python3
"""Generates docs/seed-coverage.md from the names of the tests."""

from covers import COVERED, NAMES, REPO

import rows_asyncjobs  # noqa: F401
import rows_asyncqueue  # noqa: F401
import rows_taskmq  # noqa: F401
import rows_tasks  # noqa: F401

PAGE = REPO / "docs/seed-coverage.md"


def text():
    lines = ["# What of the four original APIs is tested", "",
             "Made by `tests/seeds/coverage_page.py` from the tests in `tests/seeds`, which run against the whole stack.",
             "A row is one of a table in an API's documentation: a field, parameter, endpoint, status, flag or error.", ""]
    for seed, name in NAMES.items():
        lines += [f"## {name}", "", "| row | what is shown | test |", "|---|---|---|"]
        for (of, row), tests in COVERED.items():
            if of == seed:
                lines += [f"| {row.replace('|', chr(92) + '|')} | {title} | `{test}` |" for test, title in tests]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(text())
