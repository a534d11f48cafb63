#!/usr/bin/python3
"""Takes one safeguard after the other out of a copy of the sources: a test must notice each time.

The copy is built in mutations/ of the build folder. Each test is first seen to pass there without the mutation. A
mutation whose text the sources no longer have is an error: it must be written anew.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "tests/check"))

import sources  # noqa: E402

BIN = pathlib.Path(os.environ.get("POSTERN_BIN", REPO / "build/bin")).resolve()
COPY = BIN.parent / "mutations"
BUILD = COPY / "build"
TARGETS = ["postern", "postern-fcgi", "postern-scheduler"]

# name -> (the test that notices, [(file, text, how often it is there, what it becomes)])
MUTATIONS = {
    "no lease fence": (
        ("tests/fault/scheduler_stopped_test.py", "SchedulerStopped.test_a_frozen_scheduler_overwrites_nothing"),
        [("db/engine/settle.cpp", "l.lease = r.lease", 3, "true")]),
    "no egress guard": (
        ("tests/e2e/delivery_test.py", "Egress"),
        [("scheduler/http/address_policy.cpp",
          "bool AddressPolicy::allows(const IpAddress& address) const {\n", 1,
          "bool AddressPolicy::allows(const IpAddress& address) const {\n  if (address.size() > 0) return true;\n")]),
    "no idempotency constraint": (
        ("tests/e2e/tasks_test.py", "Verbs.test_an_idempotency_key_makes_one_task"),
        [("db/schema/tables/0002_tasks.sql", "  PRIMARY KEY (tenant, key)\n", 1, "  CHECK (true)\n"),
         ("db/tasks/insertion.cpp", """
  ON CONFLICT (tenant, key) DO UPDATE
    SET task = excluded.task, request_hash = excluded.request_hash, expires_at = excluded.expires_at
    WHERE k.expires_at <= now()
""", 1, "\n")]),
    "a claim that takes more than asked": (
        ("tests/e2e/limits_test.py", "Concurrency"),
        [("db/schema/functions/claim.sql", "LIMIT p_free[n]", 2, "LIMIT 2 * p_free[n] + 1"),
         ("db/schema/functions/claim.sql", "LIMIT g.most)", 1, "LIMIT 2 * g.most + 1)")]),
}


def run(*command):
    """(exit status, output)"""
    # As ./dev sets it for ccache, so what is not mutated has been compiled before.
    environment = {**os.environ, "CCACHE_BASEDIR": str(COPY), "CCACHE_NOHASHDIR": "1",
                   "CCACHE_SLOPPINESS": "pch_defines,time_macros,include_file_mtime,include_file_ctime",
                   "POSTERN_BIN": str(BUILD / "bin")}
    done = subprocess.run(command, cwd=COPY, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def built():
    status, said = run("ninja", "-C", BUILD, "--quiet", *TARGETS)
    if status:
        raise AssertionError(said[-3000:])


@contextlib.contextmanager
def mutated(edits):
    """The copy with these edits, built; afterwards it is as before."""
    before = {}
    try:
        for name, text, times, becomes in edits:
            path = COPY / name
            whole = path.read_text()
            before.setdefault(path, whole)
            if whole.count(text) != times:
                raise LookupError(f"{name} has {whole.count(text)} times, not {times}: {text}")
            path.write_text(whole.replace(text, becomes))
        built()
        yield
    finally:
        for path, whole in before.items():
            path.write_text(whole)


class Mutations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for path in sources.tracked():
            target = COPY / sources.name_of(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() or target.read_bytes() != path.read_bytes():
                shutil.copy(path, target)
        status, said = run("cmake", "-S", COPY, "-B", BUILD, "-G", "Ninja", "-DPOSTERN_TESTS=OFF",
                           "-DPOSTERN_DOCS_PAGES=OFF")
        if status:
            raise AssertionError(said[-3000:])

    def test_each_is_noticed(self):
        lines = []
        for name, ((file, test), edits) in MUTATIONS.items():
            with self.subTest(name):
                built()
                status, said = run("/usr/bin/python3", COPY / file, test)
                self.assertEqual(status, 0, f"without the mutation:\n{said[-3000:]}")
                with mutated(edits):
                    status, said = run("/usr/bin/python3", COPY / file, test)
                self.assertNotEqual(status, 0, f"{file} {test} does not notice: {name}")
                why = [line for line in said.splitlines() if line.startswith(("AssertionError", "postgres."))]
                self.assertTrue(why, said[-3000:])  # a test that failed, and not one that could not run
                lines.append(f"| {name} | `{file}` {test} | {why[0][:100]} |")
        print("| mutation | noticed by | with |\n|---|---|---|\n" + "\n".join(lines), flush=True)


if __name__ == "__main__":
    unittest.main()
