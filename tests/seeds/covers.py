"""Maps tests to the rows of the seed documents that they cover, and finds those documents.

    @covers("001", "field priority")
    def test_an_urgent_task_overtakes(self): ...

The documents are not part of this project. They are in a folder beside it, or in that of POSTERN_SEEDS.
"""

import os
import pathlib
import re
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests/e2e"))

FOLDER = pathlib.Path(os.environ.get("POSTERN_SEEDS", REPO.parent / "shared/seeds"))
NAMES = {"000": "AsyncQueue, REST API", "001": "AsyncQueue, Tasks", "002": "TaskMQ", "003": "asyncjobs"}

COVERED = {}  # (seed, row) -> [(test, what it shows)]


def covers(seed, *rows):
    def mark(test):
        title = test.__name__.removeprefix("test_").replace("_", " ")
        for row in rows:
            COVERED.setdefault((seed, row), []).append((test.__qualname__, title))
        return test
    return mark


def text_of(seed):
    """The document's lines; None when the documents are missing."""
    files = sorted(FOLDER.glob(f"{seed}_*.txt"))
    return files[0].read_text().splitlines() if files else None


def _between(lines, first, last):
    """The lines after the line `first`, up to the one that begins with `last` or is empty."""
    start = lines.index(first) + 1
    end = start
    while end < len(lines) and lines[end].strip() and not lines[end].startswith(last):
        end += 1
    return lines[start:end]


def _names(lines, pattern, kind):
    for line in lines:
        found = re.match(pattern, line)
        if not found:
            raise ValueError(f"cannot read the row: {line}")
        yield f"{kind} {found[1]}"


def rows_of(seed):
    """The rows of all tables of a document, by kind and name."""
    lines = text_of(seed)
    if seed == "000":
        return [f"endpoint {m[1]} {m[2]}" for line in lines if (m := re.match(r"(GET|POST) \| (\S+) \|", line))]
    if seed == "001":
        return [
            *_names(_between(lines, "FieldTypeRequiredDescription", "Terminal"),
                    r"(\w+?)(?:string|object|integer)(?:Yes|No)", "field"),
            *_names(_between(lines, "ParameterTypeDescription", "DELETE"),
                    r"(\w+?)(?:string|integer)[A-Z]", "parameter"),
            *_names(_between(lines, "StatusDescription", "\0"), r"([a-z]+)[A-Z]", "status"),
        ]
    if seed == "002":
        return [
            *_names(_between(lines, "Field Type Required Description", "\0"), r"(\w+) ", "field"),
            *_names(_between(lines, "Role Permissions", "\0"), r"(\w+) ", "role"),
            *_names(_between(lines, "Variable Description Required", "\0"), r"(\w+) ", "variable"),
            *(f"endpoint {line}" for line in lines if re.fullmatch(r"(GET|POST) /\S+", line)),
            *(f"error {m[1]}" for line in lines if (m := re.fullmatch(r"(\d{3}) [A-Z][A-Za-z ]+", line))),
        ]
    flags = [line for line in lines if line.startswith("--")]
    endpoints = [m for line in lines if (m := re.match(r"(GET|POST|DELETE)(/[a-z0-9/{}._-]+)[A-Z]", line))]
    return [
        *(f"flag {re.match(r'--[a-z-]+(?:, --[a-z-]+)?', line)[0].removesuffix('false')}" for line in flags),
        *(f"endpoint {m[1]} {m[2]}" for m in endpoints),
    ]
