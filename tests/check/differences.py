"""The tables of docs/migrating.md are those of tests/clients/differences.py; with --write, makes them so."""

import pathlib
import re
import sys

from sources import report

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests/clients"))

from differences import TABLES  # noqa: E402

PAGE = REPO / "docs/migrating.md"
HEAD = "| deviation | why |\n|---|---|\n"


def with_tables(text):
    """The page with the tables of the list in the place of its own; LookupError: a section or its table is not there."""
    for heading, differences in TABLES.items():
        section = re.search(rf"^## {re.escape(heading)}\n.*?{re.escape(HEAD)}((?:\|[^\n]*\n)+)", text, re.S | re.M)
        if not section or "\n## " in section[0]:
            raise LookupError(f"docs/migrating.md has no table of deviations in '{heading}'")
        rows = "".join(f"| {each.deviation} | {each.why} |\n" for each in differences)
        text = text[:section.start(1)] + rows + text[section.end(1):]
    return text


def main(arguments):
    text = PAGE.read_text()
    wanted = with_tables(text)
    if text.count(HEAD) != len(TABLES):
        return report([f"docs/migrating.md has {text.count(HEAD)} tables of deviations, the list {len(TABLES)}"])
    if arguments == ["--write"]:
        PAGE.write_text(wanted)
        return 0
    here, there = text.splitlines(), wanted.splitlines()
    return report([f"docs/migrating.md: {line}: it is not in tests/clients/differences.py" for line in here
                   if line not in there]
                  + [f"docs/migrating.md lacks: {line}: write it with tests/check/differences.py --write" for line in there
                     if line not in here]
                  + (["docs/migrating.md: the order of its tables is not that of the list"]
                     if sorted(here) == sorted(there) and here != there else []))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
