#!/usr/bin/python3
"""The Debian package in build/package, as a file: what is in it, how, and what lintian says."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

import skips  # noqa: E402

BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD", ROOT / "build")).resolve()


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


class DebTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        found = list((BUILD / "package").glob("postern_*.deb"))
        if not found:
            raise unittest.SkipTest("there is no package; `./dev package` makes it")
        cls.package, = found
        cls.symbols, = (BUILD / "package").glob("postern-dbgsym_*.ddeb")
        cls.control = dict(line.split(": ", 1) for line in run("dpkg-deb", "-f", cls.package).splitlines()
                           if re.match(r"[\w-]+: ", line))
        # {path: (mode, owner)}
        cls.files = {}
        for line in run("dpkg-deb", "-c", cls.package).splitlines():
            mode, owner, _, _, _, name, *_ = line.split()
            cls.files[name.removeprefix(".")] = mode, owner

    def test_lintian_finds_no_error(self):
        if not shutil.which("lintian"):
            self.skipTest("lintian is not installed")
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", self.package],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_modes_and_owners(self):
        self.assertEqual({owner for _, owner in self.files.values()}, {"root/root"})
        wrong = {}
        for name, (mode, _) in self.files.items():
            wanted = {"d": "drwxr-xr-x", "l": "lrwxrwxrwx"}.get(
                mode[0], "-rwxr-xr-x" if name.startswith("/usr/bin/") else "-rw-r--r--")
            if mode != wanted:
                wrong[name] = mode
        self.assertEqual(wrong, {})

    def test_control(self):
        version = re.search(r"project\(postern VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
        self.assertEqual(self.package.name, f"postern_{version}_amd64.deb")
        self.assertEqual(self.control["Version"], version)
        for library in ("libpq5", "libfcgi0ldbl", "libcurl4", "libc6", "systemd", "tzdata", "ca-certificates"):
            self.assertRegex(self.control["Depends"], rf"\b{library}\b")
        self.assertRegex(self.control["Recommends"], "nginx.*postgresql")

    def test_configuration_is_dpkgs(self):
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "-e", self.package, folder)
            declared = set(pathlib.Path(folder, "conffiles").read_text().split())
        below_etc = {name for name, (mode, _) in self.files.items() if name.startswith("/etc/") and mode[0] == "-"}
        self.assertEqual(declared, below_etc)
        self.assertLess({"/etc/postern/postern.conf", "/etc/nginx/postern/http.conf"}, declared)
        self.assertFalse([name for name in below_etc if "conf.d" in name or "sites" in name], "it enables nothing")

    def test_programs_are_stripped_and_symbols_apart(self):
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "-x", self.package, folder)
            for program in pathlib.Path(folder, "usr/bin").iterdir():
                sections = run("readelf", "-SW", program)
                self.assertNotIn(".debug_info", sections)
                self.assertNotIn(".symtab", sections)
                build_id = re.search(r"Build ID: (\w\w)(\w+)", run("readelf", "-n", program))
                self.assertIn(f"/usr/lib/debug/.build-id/{build_id[1]}/{build_id[2]}.debug",
                              run("dpkg-deb", "-c", self.symbols))

    def test_cmake_installs_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr"], check=True, capture_output=True,
                           env={**os.environ, "DESTDIR": folder})
            def installed():
                return {"/" + str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*")
                        if path.is_symlink() or not path.is_dir()}
            self.assertEqual(installed(), {name for name, (mode, _) in self.files.items() if mode[0] != "d"})
            # What was changed there is kept by a second installation.
            settings = pathlib.Path(folder, "etc/postern/postern.conf")
            settings.write_text("slots = 7\n")
            subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr"], check=True, capture_output=True,
                           env={**os.environ, "DESTDIR": folder})
            self.assertEqual(settings.read_text(), "slots = 7\n")
            self.assertEqual({name for name in installed() if name.endswith(".new")}, {"/etc/postern/postern.conf.new"})

    def test_dashboard_is_complete(self):
        place, sources = "/usr/share/postern/ui", ROOT / "nginx/ui"
        shipped = {path.relative_to(sources) for path in sources.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg")}
        self.assertIn(pathlib.Path("index.html"), shipped)
        for name in (*shipped, *(f"vendor/{package}.LICENSE.txt" for package in ("htm", "preact", "uplot"))):
            self.assertIn(f"{place}/{name}", self.files)

    def test_manual_is_complete(self):
        for name in ("man1/postern.1", "man5/postern.conf.5", "man8/postern-fcgi.8", "man8/postern-scheduler.8"):
            self.assertIn(f"/usr/share/man/{name}.gz", self.files)
        documents = {f"/usr/share/doc/postern/{path.relative_to(ROOT)}" for path in (ROOT / "docs").rglob("*.md")}
        self.assertLessEqual(documents, set(self.files))
        units = {f"/usr/lib/systemd/system/{path.name}" for kind in ("service", "socket")
                 for path in (ROOT / "systemd").glob(f"*.{kind}")}
        self.assertLessEqual(units, set(self.files))


if __name__ == "__main__":
    skips.main()
