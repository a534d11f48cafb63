#!/usr/bin/python3
"""What packaging/container/postgres-init.sh makes of a new PostgreSQL is enough for `postern migrate` as postern_migrator,
and for each service as its own role."""

import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from postgres import Postgres, run, scratch_folder  # noqa: E402

BIN = pathlib.Path(os.environ.get("POSTERN_BIN", ROOT / "build/bin")).resolve()
ROLES = ("postern_migrator", "postern_api", "postern_scheduler", "postern_operator")


class ContainerRoles(unittest.TestCase):
    def test_the_roles_can_do_their_work(self):
        folder = scratch_folder()
        self.addCleanup(folder.cleanup)
        folder = pathlib.Path(folder.name)
        postgres = Postgres(folder / "pg", folder / "postgres.pid", folder / "postgres.log")
        self.addCleanup(postgres.stop)
        postgres.start()
        postgres.psql("DROP DATABASE postern", "postgres")  # the script makes it
        secrets = folder / "secrets"
        secrets.mkdir()
        for role in ROLES:
            (secrets / role).write_text(f"it's {role}'s\n")
            (secrets / role).chmod(0o640)
        script = (ROOT / "packaging/container/postgres-init.sh").read_text().replace("/run/secrets", str(secrets))
        environment = {**os.environ, "PATH": f"{postgres.bin}:{os.environ['PATH']}", "POSTGRES_USER": "postgres",
                       "PGHOST": str(postgres.folder), "PGDATABASE": "postgres"}
        done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        # From here on with passwords, as over a network.
        (postgres.data / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        postgres.reload()

        def postern(role, *words):
            environment = {**os.environ, "POSTERN_DATABASE_PASSWORD_FILE": str(secrets / role),
                           "POSTERN_DATABASE": f"host={postgres.folder} dbname=postern user={role}"}
            return run([BIN / "postern", "--config", "/dev/null", *words], env=environment)

        postern("postern_migrator", "migrate")
        postern("postern_migrator", "migrate")  # as at each `up`
        self.assertIn("first", postern("postern_operator", "key", "create", "--name", "first", "--role", "admin", "--json"))
        for role in ("postern_api", "postern_scheduler"):
            self.assertEqual(postgres.psql(f"SELECT has_table_privilege('{role}', 'postern.task', 'SELECT')"), "t")
            self.assertEqual(postgres.psql(f"SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = '{role}'"), "f")
        with self.assertRaises(Exception):
            postern("postern_api", "migrate", "--reapply")


if __name__ == "__main__":
    unittest.main()
