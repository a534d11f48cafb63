"""What the documents point to is there: links and their anchors, and the files that they name in backticks.

The walk of docs/design.md names the files of one request and of one task, in their order: seven or fewer each.
"""

import re
import sys

from sources import ROOT, name_of, report, tracked

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:core|db|fcgi|scheduler|cli|nginx|systemd|docs|tests|packaging)/[\w./*-]*)`")
HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
WALK = "<!-- walk: checked by a test -->"
MOST_FILES = 7


def anchors(text):
    """As GitHub makes them of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def broken_links(path, text):
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link) or link.startswith("/"):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        if not file.exists():
            yield f"{name_of(path)}: there is no {link}"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"{name_of(path)}: {target or name_of(path)} has no heading #{anchor}"


def missing_files(path, text):
    for named in NAMED.findall(text):
        if "NAME" in named or "NNNN" in named:
            continue
        pattern = named.rstrip("/")
        # "db/pg/pool" stands for the header and the source.
        if not any(ROOT.glob(pattern)) and not any(ROOT.glob(pattern + ".*")):
            yield f"{name_of(path)}: there is no {named}"


def walk():
    text = (ROOT / "docs/design.md").read_text()
    if WALK not in text:
        yield f"docs/design.md: the walk ({WALK}) is gone"
        return
    section = text.split(WALK, 1)[1].split("\n## ", 2)[1]
    ways = re.split(r"^### ", section, flags=re.MULTILINE)[1:]
    if len(ways) != 2:
        yield f"docs/design.md: the walk has {len(ways)} ways under ###; it is one request and one task"
    for way in ways:
        title = way.splitlines()[0]
        files = {named for named in NAMED.findall(way) if "." in named.rsplit("/", 1)[-1]}
        if not 1 <= len(files) <= MOST_FILES:
            yield f"docs/design.md: \"{title}\" goes through {len(files)} files; {MOST_FILES} at most"


def main():
    broken = list(walk())
    for path in tracked(".md"):
        text = path.read_text()
        broken += [*broken_links(path, text), *missing_files(path, text)]
    return report(broken)


if __name__ == "__main__":
    sys.exit(main())
