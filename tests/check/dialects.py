#!/usr/bin/env python3
"""A dialect is a row of traits in core/model/dialect.h, its file in core/wire/ and its folder in
fcgi/dialects/. Fails, and names the line, when other code asks which dialect it has before it, and
when a dialect's folder includes another's."""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("cli", "core", "db", "fcgi", "scheduler")
ROOMS = ("core/model/dialect.", "core/wire/", "fcgi/dialects/", "fcgi/openapi/")
# Files outside the rooms that may name a dialect, and why.
EXEMPT = {
    "core/base/headers.cpp": "the names of headers that no task may set",
    "core/model/retry_policy.cpp": "retry policies that are named after the dialect they come from",
    "core/model/retry_policy.h": "the same",
    "db/schema/functions/arguments.sql": "the same names, as the SQL door knows them",
    "core/program/config.h": "settings that are named after the dialect they are for",
    "core/program/settings.cpp": "the same",
    "core/program/jwt_policy.cpp": "an environment variable that set-ups of the original product have",
    "fcgi/main.cpp": "hands these settings to the use-cases",
}


def dialects():
    text = (ROOT / "core/model/dialect.h").read_text()
    return re.search(r"enum class Dialect \{([^}]*)\}", text).group(1).replace(",", " ").split()


def without_comments(text, sql=False):
    """The same lines with the comments blanked; what is inside of a string stays."""
    if sql:
        return re.sub(r"--[^\n]*", "", text)
    token = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)

    def keep(match):
        is_comment = match.group().startswith(("//", "/*"))
        return "\n" * match.group().count("\n") if is_comment else match.group()

    return token.sub(keep, text)


def pattern(names):
    """The name alone of a dialect that is called by an everyday word is no offence; its enumerator,
    the word as a string and its files are."""
    telling = [n for n in names if len(n) > 5 and n != "native"]
    either = "|".join(names)
    return re.compile(rf"(?i:{'|'.join(telling)})|Dialect::({either})\b|[\"']({either})[\"']"
                      rf"|(dialects|wire)/({either})\b")


def offences(text, names, sql=False):
    find = pattern(names)
    lines = without_comments(text, sql).split("\n")
    return [(i, line.strip()) for i, line in enumerate(lines, 1) if find.search(line)]


def sources():
    for program in PROGRAMS:
        for path in sorted((ROOT / program).rglob("*")):
            if path.suffix in (".cpp", ".h"):
                yield path.relative_to(ROOT).as_posix(), path.read_text(), False
    for path in sorted((ROOT / "db/schema/functions").glob("*.sql")):
        yield path.relative_to(ROOT).as_posix(), path.read_text(), True


class Dialects(unittest.TestCase):
    def test_are_named_in_their_rooms_alone(self):
        told = []
        for name, text, sql in sources():
            if name.startswith(ROOMS) or name in EXEMPT:
                continue
            told += [f"{name}:{at}: {line}" for at, line in offences(text, dialects(), sql)]
        self.assertEqual([], told, "\n" + "\n".join(told))

    def test_exemptions_are_needed(self):
        for name in EXEMPT:
            self.assertTrue(offences((ROOT / name).read_text(), dialects()),
                            f"{name} names no dialect any more: take it off the list")

    def test_include_no_other_dialect(self):
        told = []
        for name, text, _ in sources():
            here = re.match(r"fcgi/dialects/(\w+)/", name)
            if not here:
                continue
            for other in re.findall(r'#include "fcgi/dialects/(\w+)/', text):
                if other not in (here.group(1), "native"):
                    told.append(f"{name} includes {other}/")
        self.assertEqual([], told)

    def test_this_test_sees_what_it_looks_for(self):
        names = dialects()
        for planted in ("if (task.dialect == Dialect::native) return;", 'name == "taskmq"',
                        "AsyncJobsExtra extra;", "x = 1;  // fine\nuse(kTaskMqQueue);",
                        '#include "core/wire/asyncjobs.h"', "R\"sql(CASE 'asyncqueue' END)sql\""):
            self.assertTrue(offences(planted, names), planted)
        for harmless in ("// TaskMQ's numbers", "int a; /* Dialect::native */", "traits(dialect).name",
                         "a native type"):
            self.assertFalse(offences(harmless, names), harmless)
        self.assertTrue(offences("IF rules = 'taskmq' THEN", names, sql=True))
        self.assertFalse(offences("-- by TaskMQ's rules", names, sql=True))


if __name__ == "__main__":
    sys.exit(unittest.main())
