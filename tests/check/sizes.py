"""No file is longer than 400 lines: where one is, a second subject has moved in."""

import fnmatch
import sys

from sources import name_of, report, tracked

MOST = 400
# Generated, or a corpus.
EXEMPT = ["*/package-lock.json", "tests/clients/python/requirements.txt", "tests/db/schema/schema.sql", "*.inc", "LICENSE"]
TEXT = (".cpp", ".h", ".py", ".sql", ".md", ".json", ".cmake", ".txt", ".conf", ".js", ".css", ".html", ".service", "")


def main():
    broken = []
    for path in tracked(*TEXT):
        name = name_of(path)
        if any(fnmatch.fnmatch(name, pattern) for pattern in EXEMPT):
            continue
        lines = path.read_bytes().count(b"\n")
        if lines > MOST:
            broken.append(f"{name}: {lines} lines, at most {MOST}")
    return report(broken)


if __name__ == "__main__":
    sys.exit(main())
