"""docs/logs.md lists every line that the programs log, with its level, and no other; and lines have one form."""

import re
import sys

from sources import ROOT, name_of, report, tracked

PROGRAMS = {"scheduler": "scheduler", "fcgi": "handlers"}
LEVELS = {"debug": "debug", "info": "info", "warn": "warning", "error": "error", "critical": "critical"}
# The text begins after the parenthesis, perhaps on the next line, and may be of several literals.
CALL = re.compile(r'\blog::(debug|info|warn|error|critical)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
ANY_CALL = re.compile(r"\blog::(debug|info|warn|error|critical)\(")
FORM = re.compile(r'[A-Za-z]+( [A-Za-z]+)*( [a-z_]+=(\{\}|"\{\}"|[A-Z]+))*')
ROW = re.compile(r"^\| `([^`]+)` \| (both|scheduler|handlers) \| ([a-z, ]+) \|", re.M)


def main():
    broken, logged = [], {}
    for path in tracked(".cpp", ".h"):
        name = name_of(path)
        if name.startswith("tests/") or name == "core/program/log.h":
            continue
        text = path.read_text()
        calls = list(CALL.finditer(text))
        if len(calls) != len(ANY_CALL.findall(text)):
            broken.append(f"{name}: a log:: call does not begin with its text, so nobody can list it")
        for call in calls:
            line = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', call[2])).replace('\\"', '"')
            at = f"{name}:{text.count(chr(10), 0, call.start()) + 1}"
            if not FORM.fullmatch(line):
                broken.append(f"{at}: \"{line}\" is not of the form: what happened key={{}} key=\"{{}}\"")
            if re.search(r' (error|why|said)=\{\}', line):
                broken.append(f"{at}: a text stands in quotes")
            words = re.match(r"[A-Za-z]+(?: [A-Za-z]+(?!=|[a-z_]*=))*", line)[0]
            programs, levels = logged.setdefault(words, (set(), set()))
            folder = name.split("/")[0]
            # What core logs, both programs do.
            programs |= {PROGRAMS[folder]} if folder in PROGRAMS else set(PROGRAMS.values())
            levels.add(LEVELS[call[1]])
    table = {}
    for words, programs, levels in ROW.findall((ROOT / "docs/logs.md").read_text()):
        if words in table:
            broken.append(f"docs/logs.md: `{words}` is there twice")
        table[words] = (set(PROGRAMS.values()) if programs == "both" else {programs}, set(levels.split(", ")))
    for words in sorted(logged.keys() | table.keys()):
        if logged.get(words) != table.get(words):
            broken.append(f"docs/logs.md: `{words}` is {table.get(words, 'missing')}; the sources have {logged.get(words, 'no such line')}")
    return report(broken)


if __name__ == "__main__":
    sys.exit(main())
