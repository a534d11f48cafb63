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

# Which unit each example of a drop-in is for.
DROP_INS = {
    "remote-postgresql-fcgi.conf.example": "postern-fcgi.service",
    "remote-postgresql-migrate.conf.example": "postern-migrate.service",
    "remote-postgresql-scheduler.conf.example": "postern-scheduler@1.service",
    "scheduler-egress.conf.example": "postern-scheduler@1.service",
    "credentials.conf.example": "postern-fcgi.service",
    "nginx-elsewhere-socket.conf.example": "postern-fcgi.socket",
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
        folder.mkdir(exist_ok=True)
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
        """The sandbox settings of a unit: those after the limits or, without limits, after ExecStart; but for its own folder."""
        service = (self.units / unit).read_text().split("\nExecStart=")[1].split("\n[Install]")[0]
        fences = service.split("\nMemoryMax=")[-1].split("\n", 1)[1]
        return {line for line in fences.splitlines() if line and not line.startswith(("#", "StateDirectory"))}

    def test_systemd_accepts_the_example_drop_ins(self):
        for example, unit in DROP_INS.items():
            self.install_drop_in(example, unit)
        self.assert_accepted()
        # With network access, the handlers' sandbox is still as strict as the scheduler's.
        self.assert_exposure("postern-fcgi.service", CEILINGS["postern-scheduler@1.service"])

    def test_every_example_drop_in_is_tried(self):
        examples = {path.name for path in UNITS.glob("*.conf.example")} - {"postern.conf.example"}
        self.assertEqual(examples, set(DROP_INS))

    def test_sockets_at_an_address_do_not_wait_for_it(self):
        """At boot it may not be there yet, and systemd tries a socket once."""
        for path in (*UNITS.glob("*.socket"), *UNITS.glob("*socket*.example")):
            text = path.read_text()
            if re.search(r"(?m)^ListenStream=\[?[0-9a-f.:]+\]?:\d+$", text):
                self.assertRegex(text, r"(?m)^FreeBind=yes$", path.name)

    def test_a_unit_gets_the_password_of_its_own_role_alone(self):
        for example, unit in DROP_INS.items():
            if not example.startswith("remote-postgresql-"):
                continue
            with self.subTest(unit):
                user = re.search(r"(?m)^User=(\w+)$", (self.units / unit).read_text()).group(1)
                loaded = re.findall(r"(?m)^LoadCredential=(.*)$", (UNITS / example).read_text())
                self.assertEqual(loaded, [f"database-password:/etc/postern/credentials/database-password.{user}"])

    def test_settings_have_one_source(self):
        """No unit sets what /etc/postern/postern.conf may set, but the name of a scheduler, which is each instance's own."""
        for unit in self.units.glob("*.service"):
            text = unit.read_text()
            self.assertNotRegex(text, r"(?m)^Environment")
            [command] = re.findall(r"(?m)^ExecStart=(.*)$", text)
            self.assertEqual(re.findall(r" --?[a-z-]+", command),
                             [" --name"] if "scheduler" in unit.name else [], unit.name)

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
        for user in ("postern_api", "postern_scheduler", "postern_migrator", "postern_operator"):
            self.assertIn(f"\n{user}:", (root / "etc/passwd").read_text())
        if os.geteuid() != 0:
            return  # only root can change the owner of folders
        (root / "etc/postern/credentials").mkdir(parents=True)
        files = {"postern.conf": 0o644, "credentials/jwt-secrets": 0o600}
        for name in files:
            (root / "etc/postern" / name).touch(0o666)
        status, said = run(
            ["systemd-tmpfiles", f"--root={root}", "--create", UNITS / "tmpfiles.d" / "postern.conf"]
        )
        self.assertEqual(status, 0, said)
        cache = (root / "run/postern-nginx").stat()
        self.assertEqual((cache.st_mode & 0o7777, cache.st_uid), (0o700, 33))
        # Everybody may read the settings, and root alone the secrets.
        files.update({"": 0o755, "credentials": 0o700})
        for name, mode in files.items():
            made = (root / "etc/postern" / name).stat()
            self.assertEqual((made.st_mode & 0o7777, made.st_uid), (mode, 0), name)

    def write(self, name, text):
        file = self.units / name
        file.write_text(text)
        return file

    def test_programs_accept_the_example_of_settings(self):
        """With all its lines in force. Those that name a file name one that there is."""
        text = (UNITS / "postern.conf.example").read_text()
        secrets = self.write("secrets", "a secret of thirty-two bytes at least\n")
        keys = self.units / "keys"
        subprocess.run(f"openssl genpkey -algorithm RSA | openssl pkey -pubout -out {keys}", shell=True, check=True,
                       stderr=subprocess.DEVNULL)
        password = self.write("password", "a password\n")
        password.chmod(0o600)
        for name, file in (("jwt-secrets", secrets), ("jwks.json", keys), ("database-password", password)):
            text = text.replace(f" = /etc/postern/{name}\n", f" = {file}\n")
        every = re.sub(r"(?m)^#([a-z_]+ = )", r"\1", text)
        self.assertIn("\ndatabase = ", every)
        self.assertIn(f"\njwt_keys_file = {keys}\n", every)
        for name, lines in (("shipped.conf", text), ("every.conf", every)):
            file = self.write(name, lines)
            for program in ("postern", "postern-fcgi", "postern-scheduler"):
                with self.subTest(f"{program} {name}"):
                    self.assertEqual(run([BIN / program, "--config", file, "--check-config"]), (0, "ok\n"))

    def test_a_file_that_cannot_be_read_stops_every_program(self):
        folder = self.units / "closed"
        folder.mkdir()
        self.write("closed/postern.conf", "slots = 5\n")
        (folder / "postern.conf").chmod(0)
        self.units.chmod(0o755)
        # Root may read everything, so somebody else tries it.
        other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        for program in ("postern", "postern-fcgi", "postern-scheduler"):
            # Where somebody else may start it.
            shutil.copy(BIN / program, self.units / program)
            for path, words in ((folder / "postern.conf", "cannot be read (Permission denied)"),
                                (folder / "nothing.conf", "does not exist")):
                for flags in (["doctor"] if program == "postern" else [], ["--check-config"]):
                    with self.subTest(f"{program} {path.name} {flags}"):
                        status, said = run([*other, self.units / program, "--config", path, *flags])
                        self.assertEqual(status, 2, said)
                        self.assertIn(f"The configuration file {path}", said.splitlines()[0])
                        self.assertIn(words, said.splitlines()[0])

    def test_the_environment_wins_over_the_file(self):
        file = self.write("postern.conf", "threads = 5\n")
        status, said = run([BIN / "postern-fcgi", "--config", file, "--check-config"], POSTERN_THREADS="none")
        self.assertEqual((status, said), (2, 'postern-fcgi: threads = "none" is wrong: it must be a number from 1 to 1024.\n'))

    def test_the_handlers_look_at_the_units_credential(self):
        check = [BIN / "postern-fcgi", "--config", "/dev/null", "--check-config"]
        self.assertEqual(run(check, CREDENTIALS_DIRECTORY=str(self.units)), (0, "ok\n"))
        self.write("jwt-secrets", "short")
        status, said = run(check, CREDENTIALS_DIRECTORY=str(self.units))
        self.assertEqual(status, 2)
        self.assertIn("jwt-secrets has 5 bytes; it must have 32 at least", said)


if __name__ == "__main__":
    unittest.main()
