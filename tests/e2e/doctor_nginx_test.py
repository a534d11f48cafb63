#!/usr/bin/python3
"""What `postern doctor` says of this host's nginx. A mount namespace puts the test's own folder in the place of /etc/nginx; where
there are none, the test is skipped."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest

from harness import BIN, scratch_folder
from nginx import SHIPPED
from roles_test import Cluster, bare

import skips  # from tests/support, which harness.py has made importable

OVER = ["unshare", "--mount" if os.geteuid() == 0 else "-Urm", "sh", "-c", 'mount --bind "$0" /etc/nginx && exec "$@"']

LEFT_OUT = "cells.conf is included, and {} is not the cells' own"
COPY = "copy cells-judge.conf, cells-pass.conf and cells-server.conf over those with cell- in their names: docs/cells.md"


class Nginx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        case = cls()
        cls.addClassCleanup(case.doCleanups)
        cls.cluster = Cluster(case)
        cls.cluster.migrate()

    def setUp(self):
        self.install()

    def install(self):
        """An /etc/nginx as the package leaves it, with a site that includes Postern."""
        folder = scratch_folder()
        self.addCleanup(folder.cleanup)
        self.etc = pathlib.Path(folder.name)
        for name in ("conf.d", "sites-enabled", "postern"):
            (self.etc / name).mkdir()
        for file in SHIPPED.glob("*.conf"):
            shutil.copy(file, self.etc / "postern")
        (self.etc / "nginx.conf").touch()
        (self.etc / "conf.d/postern.conf").write_text("include postern/http.conf;\n")
        (self.etc / "sites-enabled/app").write_text("server {\n    include snippets/postern.conf;\n}\n")

    def with_cells(self):
        """As docs/cells.md says."""
        for name in ("judge", "pass", "server"):
            shutil.copy(self.etc / f"postern/cells-{name}.conf", self.etc / f"postern/cell-{name}.conf")
        (self.etc / "conf.d/postern-cells.conf").symlink_to("../postern/cells.conf")

    def said(self):
        """Verdict, finding and hint."""
        done = subprocess.run([*OVER, self.etc, BIN / "postern", "--json", "doctor", "--database", self.cluster.url()],
                              capture_output=True, text=True, check=False, env=bare())
        self.assertTrue(done.stdout, done.stderr)
        row, = [row for row in json.loads(done.stdout) if row["check"] == "nginx"]
        return row["verdict"], row["finding"], row["hint"] or ""

    def test_one_cell(self):
        self.assertEqual(self.said(), ("ok", "a server includes Postern", ""))
        # The files of several cells lie there for everybody.
        self.assertNotEqual((self.etc / "postern/cell-judge.conf").read_bytes(),
                            (self.etc / "postern/cells-judge.conf").read_bytes())

    def test_several_cells(self):
        self.with_cells()
        self.assertEqual(self.said(), ("ok", "a server includes Postern", ""))

    def test_a_file_of_one_cell_among_several(self):
        for name in ("judge", "pass", "server"):
            with self.subTest(name):
                self.install()
                self.with_cells()
                shutil.copy(SHIPPED / f"cell-{name}.conf", self.etc / "postern")
                self.assertEqual(self.said(), ("warning", LEFT_OUT.format(f"cell-{name}.conf"), COPY))

    def test_an_earlier_versions_file(self):
        for name in ("judge", "pass", "server"):
            with self.subTest(name):
                self.install()
                self.with_cells()
                with open(self.etc / f"postern/cells-{name}.conf", "a") as file:  # the next version's
                    file.write("# more\n")
                self.assertEqual(self.said(), ("warning", LEFT_OUT.format(f"cell-{name}.conf"), COPY))

    def test_a_missing_file(self):
        for name in ("judge", "pass", "server"):
            with self.subTest(name):
                self.install()
                self.with_cells()
                (self.etc / f"postern/cell-{name}.conf").unlink()
                self.assertEqual(self.said(), ("warning", LEFT_OUT.format(f"cell-{name}.conf"), COPY))

    def test_what_is_not_included(self):
        site = self.etc / "sites-enabled/app"
        (site.parent / "a_folder").mkdir()
        for text in ("server { }\n", "# include snippets/postern.conf;\n"):
            site.write_text(text)
            self.assertEqual(self.said()[:2], ("warning", "no server includes Postern"), text)
        (self.etc / "conf.d/postern.conf").unlink()
        self.assertEqual(self.said(), ("warning", "conf.d/postern.conf is not there", "run `postern setup`"))

    def test_no_nginx(self):
        (self.etc / "nginx.conf").unlink()
        self.assertEqual(self.said()[1], "there is no /etc/nginx here")


if __name__ == "__main__":
    trial = subprocess.run([*OVER, "/tmp", "true"], capture_output=True, text=True, check=False)
    if trial.returncode:
        skips.now(f"this machine has no mount namespaces, or no /etc/nginx: {trial.stderr.strip()}")
    unittest.main()
