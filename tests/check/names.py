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
NAMESPACE = re.compile(r"^namespace (postern[a-z0-9_:]*) \{", re.MULTILINE)
TYPE = re.compile(r"^(?:class|struct|enum class) (\w+)(?: final)?(?: :.*)?\s*\{", re.MULTILINE)


def hidden_types(headers):
    """Types that hide one of the same name of the namespace around theirs. What such a name means then depends on what was included
    before, so that two files may disagree about the layout of a third type."""
    of = {}
    for path in headers:
        text = path.read_text()
        space = NAMESPACE.search(text)
        for name in TYPE.findall(text) if space else []:
            of.setdefault(name, []).append((space[1], name_of(path)))
    return [f"{inner_path}: {name} hides that of {outer_path}" for name, places in sorted(of.items())
            for outer, outer_path in places for inner, inner_path in places if inner.startswith(outer + "::")]


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
    broken += hidden_types(path for path in tracked(".h") if not name_of(path).startswith("tests/"))
    return report(broken)


if __name__ == "__main__":
    sys.exit(main())
