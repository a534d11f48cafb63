"""One word for one thing: names that were given up do not come back. docs/glossary.md has those in use."""

import re
import sys

from sources import name_of, report, tracked

# What was given up, and what stands for it.
GIVEN_UP = {
    r"\bSeldom\b": "LogThrottle",
    r"\bCrew\b": "WorkerGate",
    r"\bListGate\b": "ConcurrencyLimit",
    r"\bWaiters\b": "LongPolls",
    r"\bHousekeeping\b": "a duty by its name",
    r"\bshard(s|_count|_of)?\b": "nothing: there are none",
    r"\bspdlog::(debug|info|warn|error|critical)\(": "log::…: its templates take five seconds a file to compile",
}
FILE_NAME = re.compile(r"[a-z0-9_.-]+")


def main():
    broken = []
    for path in tracked(".cpp", ".h", ".sql"):
        name = name_of(path)
        if not FILE_NAME.fullmatch(path.name):
            broken.append(f"{name}: files are named in snake_case")
        if name.startswith("tests/"):
            continue
        text = path.read_text()
        for pattern, instead in GIVEN_UP.items():
            for match in re.finditer(pattern, text):
                line = text.count("\n", 0, match.start()) + 1
                broken.append(f"{name}:{line}: {match[0]} is now {instead}")
    return report(broken)


if __name__ == "__main__":
    sys.exit(main())
