#!/usr/bin/python3
"""Purging the package leaves an nginx that loads: what a site includes of Postern's stays, as an empty file."""

import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class PurgeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.nginx = self.root / "etc/nginx"
        for name in ("conf.d", "sites-enabled"):
            (self.nginx / name).mkdir(parents=True)
        (self.nginx / "conf.d/postern.conf").symlink_to("../postern/http.conf")

    def purge(self):
        text = (ROOT / "packaging/deb/postrm").read_text()
        function = re.search(r"(?ms)^leave_includes_loadable\(\) \{.*?^\}", text)[0]
        # The root is another; what sites write is as it is.
        function = function.replace("/etc/nginx", f"{self.nginx}").replace(f"({self.nginx}/)?", "(/etc/nginx/)?")
        done = subprocess.run(["sh", "-ec", f"{function}\nleave_includes_loadable"], capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def left(self):
        return {str(path.relative_to(self.nginx)) for path in self.nginx.rglob("*.conf")}

    def test_however_the_line_is_written_and_wherever_its_file_is(self):
        (self.nginx / "sites-enabled/quoted").write_text("server { include \"snippets/postern.conf\"; }\n"
                                                         "server { include '/etc/nginx/postern/docs-v1.conf'; }\n")
        elsewhere = self.root / "srv"
        elsewhere.write_text("server { include postern/server.conf; }\n# include postern/site.conf;\n")
        (self.nginx / "sites-enabled/linked").symlink_to(elsewhere)
        said = self.purge()
        self.assertEqual(self.left(), {"snippets/postern.conf", "postern/docs-v1.conf", "postern/server.conf"})
        self.assertEqual(said.count("include"), 4, said)

    def test_nothing_is_left_where_nobody_includes_it(self):
        (self.nginx / "sites-enabled/app").write_text("server { # include snippets/postern.conf;\n}\n")
        self.assertEqual((self.purge(), self.left()), ("", set()))


if __name__ == "__main__":
    unittest.main()
