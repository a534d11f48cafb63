"""`postern setup` with a PostgreSQL on another host: passwords, in files of root, and what the units are told of it."""

import socket
import subprocess
import threading
import unittest

from harness import BIN, wait_until
from pg_proxy import Proxy
from postgres import run
from process import Process
from roles_test import bare
from setup_test import Host
from stack import free_ports


class TcpProxy(Proxy):
    """Where setup takes the server for one of another host."""

    def __init__(self, port, server):  # pylint: disable=super-init-not-called
        self.server = str(server)
        self.fault = self.marker = None
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()


class Remote(unittest.TestCase):
    """A PostgreSQL that is reached over TCP with passwords, by an administrator who is no superuser."""

    def setUp(self):
        self.host = Host(self)
        cluster = self.host.cluster
        [self.port] = free_ports(1)
        cluster.sql("CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'secret of admin'; DROP DATABASE postern",
                    database="postgres")
        cluster.stop()
        with open(cluster.data / "postgresql.conf", "a") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\n")
        (cluster.data / "pg_hba.conf").write_text("local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        cluster.url = lambda user="postgres", database="postern": \
            f"host={cluster.folder} port={self.port} user={user} dbname={database}"
        cluster.start()
        cluster.sql("DROP DATABASE IF EXISTS postern", database="postgres")
        self.server = f"host=127.0.0.1 port={self.port} dbname=postern"
        self.credentials = self.host.root / "etc/postern/credentials"

    def setup(self, *arguments, code=0):
        return self.host.setup(*arguments, code=code, database=f"{self.server} user=admin", PGPASSWORD="secret of admin")

    def files(self):
        """The passwords here, by role."""
        return {file.name.partition(".")[2]: file.read_text().strip() for file in self.credentials.iterdir()}

    def assert_fit(self, passwords):
        self.assertEqual(len(passwords), 4)
        for role, password in passwords.items():
            self.assertEqual(run([self.host.cluster.bin / "psql", "-XAtqc", "SELECT current_user", f"{self.server} user={role}"],
                                 env=bare(PGPASSWORD=password)), role)

    def test_a_second_host_does_not_void_the_passwords_of_the_first(self):
        self.setup()
        first = self.files()
        self.credentials.rename(self.credentials.with_name("of-the-first"))
        for arguments in ((), ("--dry-run",)):
            said = self.setup(*arguments, code=1)
            self.assertRegex(said, r"FAILED +passwords +postern_migrator is on that server already, and its password is not in "
                                   r".*/credentials\. Copy that folder from the host that was set up first\. .*--new-passwords")
        self.assertFalse(self.credentials.exists())
        self.assert_fit(first)
        # Those of an earlier installation are not put in their place either.
        self.credentials.mkdir()
        for role in first:
            (self.credentials / f"database-password.{role}").write_text("of another installation\n")
            (self.credentials / f"database-password.{role}").chmod(0o600)
        said = self.setup(code=1)
        self.assertRegex(said, "FAILED +passwords +postern_migrator cannot log in with the password in .*_migrator: .*failed")
        self.assert_fit(first)
        # With word of the administrator.
        said = self.setup("--new-passwords")
        self.assertRegex(said, r"did +passwords +made 4, in ")
        self.assertRegex(said, r"next +copy .*/credentials to the other hosts, .* systemctl try-restart")
        self.assertFalse(set(first.values()) & set(self.files().values()))
        self.assert_fit(self.files())
        self.assertIn("is done   passwords", self.setup())

    def test_in_a_new_cluster_the_roles_get_the_passwords_that_are_there(self):
        self.setup()
        before = self.files()
        sql = self.host.cluster.sql
        sql("DROP DATABASE postern", database="postgres")
        for role in ("api", "scheduler", "migrator", "operator", "enqueue", "owner"):
            self.assertEqual(sql(f"DROP OWNED BY postern_{role}; DROP ROLE postern_{role}", database="postgres"), "")
        self.assertRegex(self.setup(), "did +passwords +made 0, in .*; gave PostgreSQL 4 from there")
        self.assertEqual(self.files(), before)
        self.assert_fit(before)
        # As a superuser sees, one has none, which nobody can be using.
        sql("ALTER ROLE postern_api PASSWORD NULL; ALTER ROLE admin SUPERUSER")
        self.assertIn("gave PostgreSQL 1 from there", self.setup())
        self.assert_fit(before)

    def test_a_run_that_was_killed_with_a_password_in_its_hands_is_gone_on_with(self):
        self.setup()
        file = self.credentials / "database-password.postern_api"
        file.rename(f"{file}.waiting")
        self.assertRegex(self.setup(), "did +passwords +made 1, in ")
        self.assert_fit(self.files())

    def test_a_login_that_fails_for_another_reason_is_no_wrong_password(self):
        self.setup()
        first = self.files()
        self.host.cluster.sql("ALTER ROLE postern_api CONNECTION LIMIT 0")
        for arguments in ((), ("--dry-run",)):
            said = self.setup(*arguments, code=1)
            self.assertRegex(said, r'FAILED +passwords +postern_api cannot log in, and its password is not why: .*'
                                   r'FATAL:  too many connections for role "postern_api"\n')
            self.assertNotIn("--new-passwords", said)
        self.host.cluster.sql("ALTER ROLE postern_api CONNECTION LIMIT -1")
        self.assertNotIn("\ndid ", self.setup())
        self.assertEqual(self.files(), first)

    def test_a_host_that_fewer_roles_log_in_from(self):
        self.setup()
        hba = self.host.cluster.data / "pg_hba.conf"
        hba.write_text(hba.read_text().replace("host all all", "host all admin,postern_migrator,postern_scheduler"))
        self.host.cluster.reload()
        said = self.setup()
        self.assertNotIn("\ndid ", said)
        self.assertRegex(said, r"(?m)^is done +passwords +in .*/credentials\n"
                               r"( +postern_(api|operator) is not let in from here, .*: .*no pg_hba.conf entry for host .*\n){2}")
        self.assertNotIn("--new-passwords", said)
        # A wrong one is told all the same, of those that are let in.
        (self.credentials / "database-password.postern_scheduler").write_text("of another installation\n")
        said = self.setup(code=1)
        self.assertRegex(said, "FAILED +passwords +postern_scheduler cannot log in with the password in .*: .*"
                               'FATAL:  password authentication failed for user "postern_scheduler"')

    def test_a_password_that_postgresql_has_and_nobody_was_told_so_is_kept(self):
        self.setup()
        first = self.files()
        with open(self.host.cluster.data / "pg_hba.conf", "a") as file:
            file.write("local all all scram-sha-256\n")
        self.host.cluster.reload()
        [port] = free_ports(1)
        proxy = TcpProxy(port, self.host.cluster.folder / f".s.PGSQL.{self.port}")
        conf = self.host.root / "etc/postern/postern.conf"
        conf.write_text(conf.read_text().replace(f"port={self.port}", f"port={port}"))
        direct, self.server = self.server, self.server.replace(f"port={self.port}", f"port={port}")
        proxy.arm("cut", b"ALTER ROLE postern_scheduler PASSWORD")
        self.assertRegex(self.setup("--new-passwords", code=1), "FAILED +passwords +.*server closed the connection unexpectedly")
        waiting = self.credentials / "database-password.postern_scheduler.waiting"
        kept = waiting.read_text().strip()
        self.assertEqual(self.files()["postern_scheduler"], first["postern_scheduler"])
        self.assertRegex(self.setup("--dry-run"), "would do +passwords +put those in place that an interrupted run has given to "
                                                  "postern_scheduler\n")
        said = self.setup()
        self.assertRegex(said, "did +passwords +made 0, in .*; put 1 of an interrupted run in place")
        self.assertRegex(said, "next +copy .*/credentials to the other hosts")
        self.assertEqual(self.files()["postern_scheduler"], kept)
        self.server = direct
        self.assert_fit(self.files())
        self.assertFalse(waiting.exists())

    def test_one_that_postgresql_does_not_have_is_not_put_in_place(self):
        self.setup()
        first = self.files()
        waiting = self.credentials / "database-password.postern_migrator.waiting"
        waiting.write_text("never given\n")
        waiting.chmod(0o600)
        self.assertIn("is done   passwords", self.setup())
        file = self.credentials / "database-password.postern_migrator"
        file.write_text("of another installation\n")
        self.assertIn("postern_migrator cannot log in with the password in", self.setup(code=1))
        file.write_text(first["postern_migrator"])
        # When PostgreSQL refuses the first new one, no waiting file comes or goes.
        self.host.cluster.sql("ALTER ROLE admin NOCREATEROLE")
        self.assertRegex(self.setup("--new-passwords", code=1), "FAILED +passwords")
        self.assertEqual(waiting.read_text(), "never given\n")
        self.assertEqual({path.name for path in self.credentials.glob("*.waiting")}, {waiting.name})

    def test_units_that_were_set_up_for_other_servers_reach_the_new_ones(self):
        self.setup()
        [away] = free_ports(1)
        units = self.host.root / "etc/systemd/system"
        mine = "# mine\n[Service]\n"
        (units / "postern-migrate.service.d/postern-database.conf").write_text(mine)
        fcgi = units / "postern-fcgi.service.d/postern-database.conf"
        with open(fcgi, "a") as file:
            file.write("IPAddressAllow=192.0.2.53\n")
        before = fcgi.read_text()
        self.assertNotIn("\ndid ", self.setup())
        self.assertEqual(fcgi.read_text(), before)
        self.server = f"host=127.0.0.1,127.0.0.2 port={self.port},{away} dbname=postern"
        self.assertIn("says `database = dbname=postern host=127.0.0.1 port=", self.setup(code=1))
        self.assertEqual(fcgi.read_text(), before)
        conf = self.host.root / "etc/postern/postern.conf"
        conf.write_text(conf.read_text().replace(f"host=127.0.0.1 port={self.port}", f"port={self.port},{away} host=127.0.0.1,127.0.0.2"))
        said = self.setup()
        self.assertRegex(said, r"did +drop-ins +wrote postern-database.conf for postern-fcgi.service; as they were: \S+/backup/postern-fcgi")
        self.assertIn("next                 have the units take their new drop-ins: systemctl try-restart postern-fcgi", said)
        self.assertIn("IPAddressAllow=127.0.0.1\nIPAddressAllow=127.0.0.2\n", fcgi.read_text())
        [backup] = (self.host.root / "etc/postern/backup").iterdir()
        self.assertEqual(backup.read_text(), before)
        self.assertEqual((units / "postern-migrate.service.d/postern-database.conf").read_text(), mine)
        self.assertNotIn("\ndid ", self.setup())

    def test_a_local_server_wants_no_passwords(self):
        said = self.host.setup("--new-passwords", code=2)
        self.assertIn("reached by a Unix socket, which wants no passwords", said)

    def test_the_roles_get_passwords_in_files_of_root(self):
        host, cluster, server = self.host, self.host.cluster, self.server
        password = host.root / "admin-password"
        password.write_text("secret of admin\n")
        password.chmod(0o644)
        said = host.setup("--admin-password-file", str(password), database=f"{server} user=admin", code=1)
        self.assertIn(f"--admin-password-file: {password} is open to other users; take that from them: chmod o=", said)
        said = host.setup(database=f"{server} user=admin", PGPASSWORD="secret of admin")
        self.assertNotIn("secret of admin", said)
        credentials = host.root / "etc/postern/credentials"
        self.assertEqual(oct(credentials.stat().st_mode)[-3:], "700")
        for role in ("api", "scheduler", "migrator", "operator"):
            file = credentials / f"database-password.postern_{role}"
            self.assertEqual(oct(file.stat().st_mode)[-3:], "600")
            self.assertNotIn(file.read_text().strip(), said)
            self.assertEqual(run([cluster.bin / "psql", "-XAtqc", "SELECT current_user", f"{server} user=postern_{role}"],
                                 env=bare(PGPASSWORD=file.read_text().strip())), f"postern_{role}")
        conf = (host.root / "etc/postern/postern.conf").read_text()
        self.assertIn(f"database = dbname=postern host=127.0.0.1 port={self.port}\n", conf)
        drop_in = (host.root / "etc/systemd/system/postern-fcgi.service.d/postern-database.conf").read_text()
        self.assertIn("LoadCredential=database-password:/etc/postern/credentials/database-password.postern_api", drop_in)
        self.assertIn("IPAddressAllow=127.0.0.1", drop_in)
        # From now on without the administrator: by the credentials.
        before = host.files()
        again = host.setup(database=server)
        self.assertNotIn("\ndid ", "\n" + again)
        self.assertEqual(host.files(), before)
        for command in (["key", "list"], ["migrate"], ["secret", "show"]):
            run([BIN / "postern", *command, "--database", server], env=bare(CREDENTIALS_DIRECTORY=str(credentials)))
        # The scheduler, as its unit starts it: its own credential, under the name that all units use.
        own = host.root / "own"
        own.mkdir()
        (own / "database-password").write_bytes((credentials / "database-password.postern_scheduler").read_bytes())
        (own / "database-password").chmod(0o600)
        scheduler = Process(host.root / "run/scheduler.pid")
        self.addCleanup(scheduler.stop, 9)
        with open(host.root / "log/scheduler", "ab") as log:
            scheduler.spawn([BIN / "postern-scheduler", "--database", f"{server} user=postern_scheduler"],
                            env=bare(CREDENTIALS_DIRECTORY=str(own)), stdout=log, stderr=log)
        wait_until(lambda: cluster.sql("SELECT count(*) FROM postern.instance") == "1")
        log = wait_until(lambda: "no public url" in (text := (host.root / "log/scheduler").read_text()) and text)
        self.assertNotIn((own / "database-password").read_text().strip(), log)
        # A file that others can read is refused, and so is a wrong one, without its text.
        file = credentials / "database-password.postern_operator"
        file.chmod(0o604)
        done = subprocess.run([BIN / "postern", "key", "list", "--database", server], capture_output=True, text=True,
                              env=bare(CREDENTIALS_DIRECTORY=str(credentials)), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"chmod o= {file}", done.stderr)


if __name__ == "__main__":
    unittest.main()
