#!/usr/bin/python3
"""Cells with very many tenants: what is listed and compared of them is right, and no program holds all of it."""

import json
import os
import subprocess
import unittest

from two_databases import BIN, TwoDatabases

TENANTS = 100_000
MEMORY = 8 << 20


class Many(TwoDatabases):
    def setUp(self):
        super().setUp()
        # `b` has those of odd numbers, and some of them were in `a`, which has the others.
        self.sql("a", f"INSERT INTO postern.tenant (name) SELECT 't' || n FROM generate_series(2, {TENANTS}, 2) n")
        self.sql("a", "INSERT INTO postern.tenant (name, state, moved_to, moved_url, moved_at) SELECT 't' || n, 'moved', 'b',"
                      f" 'https://b.test', now() FROM generate_series(3, {TENANTS}, 10) n")
        self.sql("b", f"INSERT INTO postern.tenant (name) SELECT 't' || n FROM generate_series(1, {TENANTS}, 2) n")

    def ask(self, *arguments, code=0):
        """What it prints with little memory: of all tenants it wants two to six times as much."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
        command = subprocess.run(
            ["prlimit", f"--data={MEMORY}", BIN / "postern", "--config", self.folder / "cells" / "a.conf", *arguments],
            capture_output=True, text=True, check=False, env=clean)
        self.assertEqual(command.returncode, code, command.stdout[-1000:] + command.stderr)
        return command.stdout

    def findings(self, code):
        """Of tenants."""
        out = self.ask("--json", "cell", "check", "--cells", str(self.folder / "cells"), code=code)
        return [(row["cell"], row["finding"]) for row in json.loads(out) if "tenant" in row["finding"]]

    def test_lists_are_whole_and_in_order(self):
        names = self.sql("a", "SELECT name FROM postern.tenant ORDER BY name").splitlines()
        out = self.ask("--json", "tenant", "list")
        self.assertEqual([row["name"] for row in json.loads(out)], names)
        out = self.ask("tenant", "list")
        self.assertEqual([line.split()[0] for line in out.splitlines()], ["name", *names])

    def test_cells_are_counted_and_compared(self):
        out = self.ask("--json", "cell", "list", "--cells", str(self.folder / "cells"))
        self.assertEqual([(row["label"], row["tenants_here"], row["tenants_moved"]) for row in json.loads(out)],
                         [("a", "50001", "10000"), ("b", "50001", "0")])
        self.assertEqual(self.findings(0), [])
        # The first, the last and one between, each in the wrong place.
        self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('t10'), ('t50000'), ('t99998')")
        self.sql("b", "DELETE FROM postern.tenant WHERE name IN ('t13', 't99993')")
        self.sql("a", "UPDATE postern.tenant SET moved_to = 'c' WHERE name = 't50003'")
        self.assertEqual(sorted(self.findings(2)), [
            ("a", "the tenant t13 (and 1 more) has moved to b, and is in no cell"),
            ("a", "the tenant t50003 has moved to c, which the folder has no file of"),
            ("b", "the tenant t10 (and 2 more) is in a, too")])


if __name__ == "__main__":
    unittest.main()
