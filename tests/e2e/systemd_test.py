#!/usr/bin/python3
"""The units in systemd/: systemd accepts them, and their sandboxes are as strict as documented.

The tests need systemd's tools but no running systemd: they check copies of the units offline, with the built
programs (POSTERN_BIN, else build/bin).
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = ROOT / "systemd"
BIN = pathlib.Path(os.environ.get("POSTERN_BIN", ROOT / "build" / "bin")).resolve()

# The maximum exposure by `systemd-analyze security`, in tenths: 100 is a unit without any sandboxing.
CEILINGS = {
    "postern-fcgi.service": 5,
    "postern-migrate.service": 5,
    "postern-scheduler@1.service": 15,
}


def run(command, **environment):
    """Runs a command; returns its exit status and output."""
    done = subprocess.run(
        [str(part) for part in command],
        env=dict(os.environ, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


class SystemdTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="postern-units-")
        self.addCleanup(folder.cleanup)
        self.units = pathlib.Path(folder.name)
        for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.socket")]:
            # A template is checked as an instance, which is what systemd loads.
            copy = self.units / unit.name.replace("@.", "@1.")
            copy.write_text(unit.read_text().replace("/usr/bin/postern", f"{BIN}/postern"))

    def install_drop_in(self, example, unit):
        folder = self.units / f"{unit}.d"
        folder.mkdir()
        shutil.copy(UNITS / example, folder / example.removesuffix(".example"))

    def assert_accepted(self):
        names = sorted(path for path in self.units.iterdir() if path.is_file())
        self.assertEqual(len(names), 4)
        # The final colon adds the system's own units, which the order of the units refers to.
        status, said = run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *names],
            SYSTEMD_UNIT_PATH=f"{self.units}:",
        )
        # systemd only warns of a setting that it does not know.
        complaints = [line for line in said.splitlines() if "postern" in line]
        self.assertEqual((status, complaints), (0, []), said)

    def assert_exposure(self, unit, ceiling):
        status, said = run(
            ["systemd-analyze", "security", "--offline=true", f"--threshold={ceiling}"]
            + [self.units / unit],
            SYSTEMD_UNIT_PATH=f"{self.units}:",
        )
        self.assertIn("Overall exposure level", said)
        self.assertEqual(status, 0, f"{unit} is more exposed than {ceiling / 10}:\n{said}")

    def test_systemd_accepts_the_units(self):
        self.assert_accepted()

    def test_exposure_is_below_its_limit(self):
        for unit, ceiling in CEILINGS.items():
            with self.subTest(unit):
                self.assert_exposure(unit, ceiling)

    def test_units_have_the_same_sandbox(self):
        """Compares the sandboxes of the three units, since the ceiling alone would allow one setting to be lost."""
        network = {"PrivateNetwork=yes", "IPAddressDeny=any", "RestrictAddressFamilies=AF_UNIX"}
        ip = {"RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"}
        handlers = self.fences("postern-fcgi.service")
        self.assertLessEqual(network, handlers)
        self.assertEqual(self.fences("postern-migrate.service"), handlers)
        self.assertEqual(self.fences("postern-scheduler@1.service"), handlers - network | ip)

    def fences(self, unit):
        """The sandbox settings of a unit: those after the limits or, without limits, after ExecStart."""
        service = (self.units / unit).read_text().split("\nExecStart=")[1].split("\n[Install]")[0]
        fences = service.split("\nMemoryMax=")[-1].split("\n", 1)[1]
        return {line for line in fences.splitlines() if line and not line.startswith("#")}

    def test_systemd_accepts_the_example_drop_ins(self):
        for unit in ("postern-fcgi.service", "postern-migrate.service"):
            self.install_drop_in("remote-postgresql.conf.example", unit)
        self.install_drop_in("scheduler-egress.conf.example", "postern-scheduler@1.service")
        self.assert_accepted()
        # With network access, the handlers' sandbox is still as strict as the scheduler's.
        self.assert_exposure("postern-fcgi.service", CEILINGS["postern-scheduler@1.service"])

    def test_users_of_the_units_are_declared(self):
        made = (UNITS / "sysusers.d" / "postern.conf").read_text()
        for unit in self.units.glob("*.service"):
            text = unit.read_text()
            user = re.search(r"(?m)^User=(\w+)$", text).group(1)
            group = re.search(r"(?m)^Group=(\w+)$", text).group(1)
            self.assertRegex(made, rf"(?m)^u\s+{user}\s+-:{group}\s")
            self.assertRegex(made, rf"(?m)^g\s+{group}\s")

    def test_users_and_folders_are_made(self):
        root = self.units / "root"
        (root / "etc").mkdir(parents=True)
        # These two users exist on the host; the second owns a folder of nginx.
        (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nwww-data:x:33:\n")
        status, said = run(
            ["systemd-sysusers", f"--root={root}", UNITS / "sysusers.d" / "postern.conf"]
        )
        self.assertEqual(status, 0, said)
        self.assertIn("\npostern_api:", (root / "etc/passwd").read_text())
        if os.geteuid() != 0:
            return  # only root can change the owner of folders
        status, said = run(
            ["systemd-tmpfiles", f"--root={root}", "--create", UNITS / "tmpfiles.d" / "postern.conf"]
        )
        self.assertEqual(status, 0, said)
        cache = (root / "run/postern-nginx").stat()
        self.assertEqual((cache.st_mode & 0o7777, cache.st_uid), (0o700, 33))
        self.assertEqual((root / "etc/postern").stat().st_mode & 0o7777, 0o750)

    def test_programs_accept_the_environment_example(self):
        text = (UNITS / "postern.env.example").read_text()
        settings = dict(
            shlex.split(line)[0].split("=", 1)
            for line in re.findall(r"(?m)^#(POSTERN_[A-Z_]+=.+)$", text)
        )
        self.assertIn("POSTERN_DATABASE", settings)
        # The handlers look at these two files.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        secrets, keys = (pathlib.Path(folder.name) / name for name in ("secrets", "keys"))
        secrets.write_text("a secret of thirty-two bytes at least\n")
        subprocess.run(f"openssl genpkey -algorithm RSA | openssl pkey -pubout -out {keys}", shell=True, check=True,
                       stderr=subprocess.DEVNULL)
        settings.update(POSTERN_JWT_SECRET_FILE=secrets, POSTERN_JWT_KEYS_FILE=keys)
        for program in ("postern-fcgi", "postern-scheduler"):
            with self.subTest(program):
                status, said = run([BIN / program, "--check-config"], **settings)
                self.assertEqual(status, 0, said)


if __name__ == "__main__":
    unittest.main()
