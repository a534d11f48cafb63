"""The roles: who may migrate, what is said to whom may not, a database that is somebody else's, and a restore."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import unittest

from harness import BIN, Receiver, scratch_folder, wait_until
from postgres import Postgres, run
from process import Process


class Cluster(Postgres):
    """A PostgreSQL in a folder of its own, for one test."""

    def __init__(self, test):
        folder = scratch_folder()
        test.addCleanup(folder.cleanup)
        self.folder_of_all = pathlib.Path(folder.name)
        super().__init__(self.folder_of_all / "pg", self.folder_of_all / "pid", self.folder_of_all / "log")
        test.addCleanup(self.stop)
        self.start()

    def sql(self, text, user="postgres", database="postern"):
        done = subprocess.run([self.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.url(user, database)], input=text,
                              capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()

    def postern(self, *arguments, user="postgres", database="postern", code=0):
        done = subprocess.run([BIN / "postern", *arguments, "--database", self.url(user, database)],
                              capture_output=True, text=True, check=False, env=bare())
        if done.returncode != code:
            raise AssertionError(f"postern {arguments} of {user}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def migrate(self, *arguments, **who):
        return self.postern("migrate", *arguments, **who)


def bare(**more):
    """The environment without what would name another database."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(("PG", "POSTERN_"))}, **more}


class Migrators(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(self)

    def assert_refused_until_pasted(self, paste_as="postgres", **who):
        """The refusal has statements; run as they stand by `paste_as`, they are all that was missing."""
        said = self.cluster.migrate(code=1, **who)
        statements = re.search(r": ((?:CREATE ROLE|GRANT)[^:]*;)\s*$", said)
        self.assertTrue(statements, said)
        self.assertEqual(self.cluster.sql(statements[1], paste_as, who.get("database", "postern")), "", said)
        return statements[1]

    def assert_works(self, database="postern"):
        """What the other roles need is there: a task comes in by SQL, and the handlers' role sees it."""
        self.cluster.sql("SELECT postern.enqueue('q', 'https://a.example/', '{}')", database=database)
        for role in ("postern_api", "postern_scheduler", "postern_operator", "postern_migrator"):
            self.assertEqual(self.cluster.sql("SELECT count(*) > 0 FROM postern.task", role, database), "t", role)
        self.assertEqual(self.cluster.sql(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'postern'", database=database), "postern_owner")

    def test_a_superuser_once_and_then_the_migrator(self):
        self.cluster.migrate()
        self.assert_works()
        self.assertNotIn("applied now", self.cluster.migrate(user="postern_migrator"))
        self.cluster.sql("DROP FUNCTION postern.wake(uuid, bigint[], integer); REVOKE SELECT ON postern.task FROM postern_api")
        self.cluster.migrate("--reapply", user="postern_migrator")
        self.assert_works()
        self.assertEqual(self.cluster.sql("SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles "
                                          "WHERE rolname = 'postern_migrator'"), "f")

    def test_a_managed_postgresql_whose_admin_is_no_superuser(self):
        self.cluster.sql("CREATE ROLE admin LOGIN CREATEROLE CREATEDB; CREATE DATABASE managed OWNER admin")
        self.cluster.migrate("--own-database", user="admin", database="managed")
        self.assert_works("managed")
        self.assertIn("permission denied for database", self.cluster.sql("SELECT 1", self.somebody(), "managed"))
        self.cluster.migrate(user="postern_migrator", database="managed")

    def somebody(self):
        self.cluster.sql("CREATE ROLE somebody LOGIN")
        return "somebody"

    def test_staging_beside_production(self):
        self.cluster.sql("CREATE ROLE admin LOGIN CREATEROLE CREATEDB; CREATE DATABASE production OWNER admin;"
                         "CREATE DATABASE staging OWNER admin; CREATE ROLE second LOGIN; CREATE DATABASE qa OWNER second;"
                         "CREATE DATABASE shared")
        self.cluster.migrate(user="admin", database="production")
        self.cluster.migrate(user="admin", database="staging")
        # Another migrator, with a database of its own and no right to make roles.
        self.assertEqual(self.assert_refused_until_pasted("admin", user="second", database="qa"),
                         "GRANT postern_owner TO second;")
        self.cluster.migrate(user="second", database="qa")
        # And in a database of others.
        self.assertEqual(self.assert_refused_until_pasted(user="second", database="shared"),
                         "GRANT CREATE ON DATABASE shared TO second;")
        self.cluster.migrate(user="second", database="shared")
        for database in ("production", "staging", "qa", "shared"):
            self.assert_works(database)

    def test_without_createrole_the_refusal_has_all_that_is_missing(self):
        self.cluster.sql("CREATE ROLE plain LOGIN; CREATE DATABASE mine OWNER plain")
        statements = self.assert_refused_until_pasted(user="plain", database="mine")
        self.assertEqual(statements.count("CREATE ROLE"), 6)
        self.cluster.migrate(user="plain", database="mine")
        self.assert_works("mine")
        # The timeouts of the roles, which it may not set, are the doctor's to name.
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM pg_db_role_setting"), "0")
        self.cluster.migrate(database="mine")
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM pg_db_role_setting"), "2")

    def test_a_closed_database_lets_the_roles_in_by_whom_owns_it(self):
        self.cluster.sql("CREATE ROLE boss LOGIN; CREATE ROLE mover LOGIN; CREATE DATABASE closed OWNER boss;"
                         "REVOKE ALL ON DATABASE closed FROM PUBLIC; GRANT CONNECT, CREATE ON DATABASE closed TO mover")
        self.cluster.migrate("--roles")
        self.cluster.sql("GRANT postern_owner TO mover")
        statements = self.assert_refused_until_pasted("boss", user="mover", database="closed")
        self.assertIn("GRANT CONNECT ON DATABASE closed TO postern_api;", statements)
        self.cluster.migrate(user="mover", database="closed")
        self.assert_works("closed")


class Applications(unittest.TestCase):
    """A database that an application has, and uses as before."""

    def setUp(self):
        self.cluster = Cluster(self)
        self.cluster.sql("CREATE ROLE app LOGIN; CREATE ROLE reader LOGIN; CREATE DATABASE app OWNER app")
        self.cluster.sql("CREATE TABLE orders (n integer); INSERT INTO orders VALUES (1); CREATE SCHEMA sales;"
                         "GRANT SELECT ON orders TO reader", "app", "app")

    def test_nothing_is_taken_from_an_application(self):
        rights = ("SELECT datacl, (SELECT nspacl FROM pg_namespace WHERE nspname = 'public'),"
                  " (SELECT relacl FROM pg_class WHERE relname = 'orders') FROM pg_database WHERE datname = 'app'")
        before = self.cluster.sql(rights, database="app")
        for user in ("postgres", "postern_migrator"):
            self.cluster.migrate(user=user, database="app")
            self.assertEqual(self.cluster.sql(rights, database="app"), before)
        self.assertEqual(self.cluster.sql(
            "CREATE TEMP TABLE t AS SELECT n FROM orders; INSERT INTO orders SELECT n + 1 FROM t;"
            "CREATE TABLE sales.more (n integer); CREATE SCHEMA further; SELECT count(*) FROM orders", "app", "app"), "2")
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM orders", "reader", "app"), "2")
        self.cluster.sql("GRANT postern_enqueue TO app")
        self.assertEqual(len(self.cluster.sql(
            "BEGIN; INSERT INTO orders VALUES (3); SELECT postern.enqueue('q', 'https://a.example/', '{}'); COMMIT",
            "app", "app")), 36)

    def test_own_database_is_refused_where_others_have_tables(self):
        said = self.cluster.migrate("--own-database", database="app", code=1)
        self.assertIn("not Postern's own, for it holds public.orders", said)
        self.assertEqual(self.cluster.sql("SELECT count(*) FROM orders", "reader", "app"), "1")

    def test_own_database_wants_its_owner(self):
        self.cluster.migrate()
        said = self.cluster.migrate("--own-database", user="postern_migrator", code=1)
        self.assertIn("for the database's owner postgres or a superuser", said)


class Restore(unittest.TestCase):
    def test_a_dump_goes_into_a_fresh_cluster(self):
        old, new = Cluster(self), Cluster(self)
        receiver = Receiver()
        self.addCleanup(receiver.close)
        old.migrate("--own-database")
        task = old.sql(f"SELECT postern.enqueue('q', '{receiver.url('/restored')}', '{{}}')")
        dump = old.folder_of_all / "dump"
        run([old.bin / "pg_dump", "-Fc", "-f", dump, old.url()])
        # Without the roles it fails; that is what the manual's order is for.
        refused = subprocess.run([new.bin / "pg_restore", "--exit-on-error", "-d", new.url(), dump], capture_output=True,
                                 text=True, check=False)
        self.assertIn('role "postern_owner" does not exist', refused.stderr)
        new.sql("DROP DATABASE postern", database="postgres")
        new.migrate("--roles", database="postgres")
        new.sql("CREATE DATABASE postern OWNER postern_migrator", database="postgres")
        run([new.bin / "pg_restore", "--exit-on-error", "-d", new.url(), dump])
        new.migrate("--own-database", user="postern_migrator")
        scheduler = Process(new.folder_of_all / "scheduler.pid")
        self.addCleanup(scheduler.stop, 9)
        with open(new.folder_of_all / "scheduler.log", "ab") as log:
            scheduler.spawn([BIN / "postern-scheduler", "--database", new.url("postern_scheduler")],
                            env=bare(POSTERN_EGRESS_ALLOW="127.0.0.0/8"), stdout=log, stderr=log)
        receiver.wait_for(lambda requests: any(r.path == "/restored" for r in requests))
        wait_until(lambda: new.sql(f"SELECT count(*) FROM postern.task_finished WHERE id = '{task}'") == "1")
        said = new.postern("doctor")
        self.assertNotIn("WRONG", said)

    def test_a_restore_without_owners_is_told(self):
        cluster = Cluster(self)
        cluster.migrate()
        cluster.sql("ALTER SCHEMA postern OWNER TO postgres")
        said = cluster.migrate(code=1)
        self.assertIn("belongs to postgres, and must belong to postern_owner", said)


class Operator(unittest.TestCase):
    """postern_operator does with the command what there is to do, and no more."""

    def setUp(self):
        self.cluster = Cluster(self)
        self.cluster.migrate("--own-database")

    def test_every_subcommand(self):
        for line in OPERATORS_DAY.strip().splitlines():
            with self.subTest(line):
                self.cluster.postern(*shlex.split(line), user="postern_operator")
        task = json.loads(self.cluster.postern("task", "list", "--json", user="postern_operator"))[0]["id"]
        for verb in ("get", "cancel", "retry"):
            self.cluster.postern("task", verb, task, user="postern_operator")
        key = json.loads(self.cluster.postern("key", "create", "--name", "map", "--role", "read", "--json",
                                              user="postern_operator"))["key"]
        file = self.cluster.folder_of_all / "map"
        run([BIN / "postern", "key", "export-nginx", "--file", file, "--database", self.cluster.url("postern_operator")],
            input=key, env=bare())
        self.assertIn("map read default", file.read_text())

    def test_the_doctor_says_what_this_login_cannot_see(self):
        self.cluster.sql("INSERT INTO postern.instance (id, program, name, version) "
                         "VALUES (gen_random_uuid(), 'postern-scheduler', 'one', '0.1.0')")
        rows = self.doctor("postern_operator")
        self.assertEqual({name for name, row in rows.items() if row["verdict"] in ("WRONG", "skipped") and name != "nginx"},
                         {"drift", "oldest transaction"})
        self.assertIn("runuser -u postern_migrator -- postern doctor", rows["drift"]["hint"])
        self.assertEqual(rows["public url"]["verdict"], "warning")
        rows = self.doctor("postern_migrator")
        self.assertEqual(rows["drift"]["verdict"], "ok")
        # What somebody does is a warning, what is broken is wrong.
        self.cluster.postern("queue", "add", "held", user="postern_operator")
        self.cluster.postern("queue", "pause", "held", user="postern_operator")
        # The sandbox's queue is paused for good.
        self.cluster.sql("INSERT INTO postern.queue (tenant, name, paused) VALUES ('default', 'aq_test', true)")
        self.assertEqual(self.doctor("postern_operator")["pauses"]["finding"], "paused: queue default/held")
        self.cluster.postern("pause", "--all", user="postern_operator")
        paused = self.doctor("postern_operator")["pauses"]
        self.assertEqual((paused["verdict"], "whole engine" in paused["finding"]), ("warning", True))
        self.cluster.sql("ALTER ROLE postern_api RESET lock_timeout; REVOKE CONNECT ON DATABASE postern FROM postern_api;"
                         "REVOKE postern_owner FROM postern_migrator")
        rows = self.doctor("postern_operator", code=1)
        self.assertEqual(rows["rights"]["finding"], "missing: GRANT CONNECT ON DATABASE postern TO postern_api; "
                                                    "GRANT postern_owner TO postern_migrator")
        self.assertEqual((rows["role timeouts"]["verdict"], rows["role timeouts"]["finding"]),
                         ("warning", "missing: ALTER ROLE postern_api SET lock_timeout = '2s'"))
        for statements in (rows["rights"]["finding"], rows["role timeouts"]["finding"]):
            self.assertEqual(self.cluster.sql(statements.removeprefix("missing: ")), "")
        self.doctor("postern_operator")

    def doctor(self, user, code=0):
        return {row["check"]: row for row in json.loads(self.cluster.postern("doctor", "--json", user=user, code=code))}


# Each line is a command of its own.
OPERATORS_DAY = """
key create --name app --role admin
key create --name sand --role worker --sandbox
key list
key revoke --name sand
tenant create --name acme
tenant list
secret show
secret rotate --force
secret show --tenant acme
queue add ops --max-concurrent 3
queue list
queue get ops
queue set ops --max-retries 7
queue pause ops
queue resume ops
endpoint add mail --webhook-url https://mail.example/
endpoint list
endpoint get mail
endpoint pause mail
endpoint rotate mail
schedule add nightly --cron '0 3 * * *' --queue ops --webhook-url https://a.example/
schedule list
schedule get nightly
schedule delete nightly
task add --queue ops --webhook-url https://a.example/ --payload {} --delay 1h
task list
pause --all
resume --all
migrate --status
queue purge ops
task add --queue ops --webhook-url https://a.example/ --payload {} --delay 1h
"""


@unittest.skipUnless(os.geteuid() == 0, "only root may have files of its own over /etc/passwd")
class Root(unittest.TestCase):
    """Started as root, the command is the system user of its role while it connects."""

    def cluster_with_peer(self):
        cluster = Cluster(self)
        cluster.migrate()
        cluster.stop()
        (cluster.data / "pg_hba.conf").write_text("local all postgres trust\nlocal all all peer\n")
        with open(cluster.data / "postgresql.conf", "a") as file:
            file.write("unix_socket_permissions = 0777\n")
        for folder in (cluster.folder_of_all, cluster.folder):
            folder.chmod(0o755)
        cluster.start()
        return cluster

    def test_without_the_system_user_it_says_what_to_do(self):
        cluster = self.cluster_with_peer()
        done = subprocess.run([BIN / "postern", "key", "list", "--database", f"host={cluster.folder} dbname=postern"],
                              capture_output=True, text=True, env=bare(), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("as the system user postern_operator, and there is none. Make it with `systemd-sysusers`", done.stderr)

    def test_with_the_system_users_nothing_need_be_said(self):
        with scratch_folder() as folder:
            users = pathlib.Path(folder) / "passwd"
            users.write_text(pathlib.Path("/etc/passwd").read_text() + "".join(
                f"postern_{name}:x:{60001 + number}:65534::/nonexistent:/usr/sbin/nologin\n"
                for number, name in enumerate(("operator", "migrator", "api", "scheduler"))))
            inside = subprocess.run(
                ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', users, "/usr/bin/python3", __file__,
                 "WithSystemUsers"], env={**os.environ, "POSTERN_SYSTEM_USERS": "1"}, capture_output=True, text=True, check=False)
        if "unshare failed" in inside.stderr:
            self.skipTest("no mount namespaces here")
        self.assertEqual(inside.returncode, 0, inside.stderr)


@unittest.skipUnless(os.environ.get("POSTERN_SYSTEM_USERS"), "run by Root")
class WithSystemUsers(Root):
    test_without_the_system_user_it_says_what_to_do = test_with_the_system_users_nothing_need_be_said = None

    def test_each_command_is_its_role(self):
        cluster = self.cluster_with_peer()
        where = f"host={cluster.folder} dbname=postern"

        def postern(*command, code=0, database=where, **environment):
            done = subprocess.run([BIN / "postern", *command, "--database", database], capture_output=True, text=True,
                                  env=bare(**environment), check=False)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            return done.stdout + done.stderr

        postern("key", "create", "--name", "one", "--role", "read")
        postern("migrate", "--reapply")
        self.assertRegex(postern("doctor", code=1), r"(?m)^drift +ok")  # as the migrator
        postern("setup", "--root", cluster.folder_of_all / "root")  # as postgres
        # Files are written by root, not by the role.
        self.assertEqual((cluster.folder_of_all / "root/etc/postern/postern.conf").stat().st_uid, 0)
        for role, command in (("operator", ["key", "list"]), ("migrator", ["migrate"])):
            cluster.sql(f"ALTER ROLE postern_{role} NOLOGIN")
            self.assertIn(f'role "postern_{role}" is not permitted to log in', postern(*command, code=1))
            postern(*command, PGUSER="postgres")
            postern(*command, database=f"{where} user=postgres")


if __name__ == "__main__":
    unittest.main()
