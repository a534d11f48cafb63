"""`postern setup` where others wait for it, interrupt it or run it at the same time."""

import subprocess
import unittest

from harness import BIN, wait_until
from postgres import run
from roles_test import bare
from setup_test import Host
from stack import free_ports


class Hostile(unittest.TestCase):
    """The owner of an application's database, who waits for a superuser to set Postern up in it."""

    def setUp(self):
        self.host = Host(self)
        self.host.cluster.sql("CREATE ROLE app LOGIN; CREATE DATABASE app OWNER app", database="postgres")
        self.assertEqual(self.sql("""
            CREATE FUNCTION public.seize() RETURNS text LANGUAGE plpgsql AS $$
            BEGIN ALTER ROLE app SUPERUSER; RETURN ''; EXCEPTION WHEN insufficient_privilege THEN RETURN ''; END $$"""), "")

    def sql(self, text):
        return self.host.cluster.sql(text, "app", "app")

    def assert_nothing_seized(self):
        self.assertEqual(self.host.cluster.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'app'"), "f")

    def test_functions_in_front_of_postgresqls_own_are_not_called(self):
        self.assertEqual(self.sql("""
            CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS
              $$ SELECT public.seize() || pg_catalog.set_config($1, $2, $3) $$;
            CREATE FUNCTION public.same(text, text) RETURNS boolean LANGUAGE sql AS
              $$ SELECT public.seize() || $1 OPERATOR(pg_catalog.=) $2 $$;
            CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.same);
            CREATE OPERATOR public.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = public.same);
            ALTER DATABASE app SET search_path = public, pg_catalog"""), "")
        self.host.setup(database=self.host.cluster.url(database="app"))
        self.assert_nothing_seized()

    def test_a_schema_of_theirs_is_not_looked_into(self):
        self.assertEqual(self.sql("""
            CREATE SCHEMA postern;
            CREATE VIEW postern.applied AS SELECT 'x' || public.seize() AS name, ''::text AS sha256, 1 AS release,
                                                  1 AS min_program"""), "")
        said = self.host.setup(database=self.host.cluster.url(database="app"), code=1)
        self.assertIn("belongs to app", said)
        self.assert_nothing_seized()
        self.assertIn("belongs to app", self.host.cluster.migrate(database="app", code=1))
        self.assert_nothing_seized()


class Settings(unittest.TestCase):
    """postern.conf is read by everybody, and a wrong line in it stops all programs."""

    def setUp(self):
        self.host = Host(self)
        self.conf = self.host.root / "etc/postern/postern.conf"

    def test_no_secret_of_the_connection_string_is_written(self):
        self.host.setup(database=f"{self.host.cluster.url()}&password=hidden1&sslpassword=hidden2&passfile=/hidden3")
        self.assertRegex(self.conf.read_text(), r"(?m)^database = dbname=postern host=\S+ port=5432$")
        self.assertNotIn("hidden", self.conf.read_text())

    def test_no_line_goes_to_a_neighbour(self):
        """An apostrophe in Lua, where nginx reads no quotes."""
        lua = "location / { content_by_lua_block { -- it's theirs\n ngx.say(1) } }"
        (self.host.root / "etc/nginx/sites-available/other").write_text("\n".join(
            f"server {{\n listen 127.0.0.1:1;\n server_name {name}.example;\n {lua}\n}}" for name in ("mine", "theirs")))
        self.assertIn("has blocks of Lua", self.host.setup("--dry-run", "--vhost", "mine.example", code=1))

    def test_what_no_program_would_read_is_not_written(self):
        said = self.host.setup("--public-url", "app.example", code=2)
        self.assertIn("--public-url: 'app.example' is wrong; it must be an http or https URL", said)
        said = self.host.setup("--dry-run", "--public-url", "https://app.example/api/")
        self.assertIn("public_url = https://app.example/api\n", said)
        site = self.host.root / "etc/nginx/sites-available/other"
        for name in ("*.example", ".example", "_", r"~^(www\.)?app"):
            site.write_text(f'server {{ listen 127.0.0.1:{self.host.port}; server_name "{name}"; }}\n')
            said = self.host.setup("--dry-run", "--vhost", name)
            self.assertIn("+", said)
            self.assertNotIn("public_url = ", said, name)
        broken = self.host.cluster.url(database="a%0Ab")
        self.host.cluster.sql('CREATE DATABASE "a\nb"', database="postgres")
        self.assertIn("its value has a line break", self.host.setup(database=broken, code=1))
        self.assertFalse(self.conf.exists())


class Interrupted(unittest.TestCase):
    """A PostgreSQL over TCP, whose roles get passwords."""

    def setUp(self):
        self.host = Host(self)
        cluster = self.host.cluster
        [self.port] = free_ports(1)
        cluster.migrate()
        cluster.sql("CREATE ROLE admin LOGIN SUPERUSER PASSWORD 'secret'")
        cluster.sql(f"ALTER SYSTEM SET listen_addresses = '127.0.0.1'; ALTER SYSTEM SET port = {self.port}")
        cluster.stop()
        (cluster.data / "pg_hba.conf").write_text("local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        cluster.url = lambda user="postgres", database="postern": \
            f"host={cluster.folder} port={self.port} user={user} dbname={database}"
        cluster.start()
        self.server = f"host=localhost hostaddr=127.0.0.1 port={self.port} dbname=postern"

    def folder(self, name):
        return self.host.root / "etc" / name

    def test_a_run_that_is_killed_and_one_beside_it(self):
        cluster = self.host.cluster
        # It waits with the first password for somebody who changes the same role.
        blocker = subprocess.Popen([cluster.bin / "psql", "-XAtq", cluster.url()], stdin=subprocess.PIPE, text=True)
        self.addCleanup(blocker.wait)
        self.addCleanup(blocker.stdin.close)
        blocker.stdin.write("BEGIN; ALTER ROLE postern_migrator CONNECTION LIMIT 7;\n")
        blocker.stdin.flush()
        wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_locks WHERE relation = 'pg_authid'::regclass") >= "1")
        database = f"{self.server} user=admin"
        killed = subprocess.Popen([BIN / "postern", "setup", "--root", self.host.root, "--database", database],
                                  env=bare(PGPASSWORD="secret"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(killed.wait)
        self.addCleanup(killed.kill)
        wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query "
                                       "LIKE 'ALTER ROLE postern_migrator PASSWORD%'") == "1")
        self.assertIn("another `postern setup` is at work", self.host.setup(database=database, code=1, PGPASSWORD="secret"))
        killed.kill()
        killed.wait()
        cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        wait_until(lambda: cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'admin'") == "0")
        blocker.stdin.write("ROLLBACK;\n")
        blocker.stdin.flush()

        self.host.setup(database=database, PGPASSWORD="secret")
        files = sorted(self.folder("postern/credentials").iterdir())
        self.assertEqual([file.name for file in files], [f"database-password.postern_{role}"
                                                         for role in ("api", "migrator", "operator", "scheduler")])
        for file in files:
            self.assertEqual(oct(file.stat().st_mode)[-3:], "600")
            role = file.name.split(".")[1]
            self.assertEqual(run([cluster.bin / "psql", "-XAtqc", "SELECT current_user", f"{self.server} user={role}"],
                                 env=bare(PGPASSWORD=file.read_text().strip())), role)
        # Of a name and an address the unit may reach the address.
        drop_in = self.folder("systemd/system/postern-fcgi.service.d/postern-database.conf").read_text()
        self.assertIn("IPAddressAllow=127.0.0.1\n", drop_in)

    def test_several_servers_of_which_the_first_is_away(self):
        [away] = free_ports(1)
        servers = f"host=127.0.0.2,127.0.0.1 port={away},{self.port} dbname=postern"
        self.host.setup(database=f"{servers} user=admin", PGPASSWORD="secret")
        self.assertIn(f"database = dbname=postern host=127.0.0.2,127.0.0.1 port={away},{self.port}\n",
                      self.folder("postern/postern.conf").read_text())
        # The units may reach each, and nothing else.
        for unit in ("fcgi", "migrate"):
            drop_in = self.folder(f"systemd/system/postern-{unit}.service.d/postern-database.conf").read_text()
            self.assertIn("IPAddressAllow=127.0.0.2\nIPAddressAllow=127.0.0.1\n", drop_in)
            self.assertNotIn("IPAddressDeny", drop_in)


if __name__ == "__main__":
    unittest.main()
