#!/usr/bin/python3
"""The dashboard in a real browser, on a whole stack: runs the files of browser/ with node's own test runner."""

import os
import pathlib
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from harness import StackTest  # noqa: E402

CHROMIUM = "/usr/bin/chromium"


@unittest.skipUnless(os.path.exists(CHROMIUM), "there is no Chromium: apt-get install chromium")
class Browsing(StackTest):
    def browse(self, name, timeout=280, **variables):
        """Runs browser/NAME.test.mjs on this stack. What it needs besides is given as environment variables."""
        environment = {**os.environ, **self.stack.env, "RECEIVER_URL": self.receiver.url("/hook"), **variables}
        done = subprocess.run(["node", "--test", "--test-reporter=spec", HERE / f"browser/{name}.test.mjs"], env=environment,
                              timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)


class Smoke(Browsing):
    def test_it_works(self):
        self.browse("smoke")


if __name__ == "__main__":
    unittest.main()
