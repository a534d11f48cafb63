#!/usr/bin/python3
"""`postern tenant move` that is refused before anything is done: to a database that is not the cell's, through a pooler, and when one
cannot be reached. And what the old cell's command says of a tenant that has moved."""

import contextlib
import shutil
import subprocess
import unittest

from two_databases import BIN, TwoDatabases

from postgres import as_owner

PGBOUNCER = "/usr/sbin/pgbouncer"
POOL = """
[databases]
* = host={server}
[pgbouncer]
pool_mode = transaction
unix_socket_dir = {folder}
listen_port = 5432
auth_type = trust
auth_file = {folder}/users
"""


class Refused(TwoDatabases):
    def setUp(self):
        super().setUp()
        self.sql("a", "INSERT INTO postern.tenant (name) VALUES ('acme')")

    def write(self, cell, database):
        self.config(cell).write_text(f"database = {database}\ncell = {cell}\npublic_url = https://{cell}.test\n")

    def refused(self, *options, cell="a", to="b"):
        """Why, in one sentence; nothing has happened."""
        command = self.start("tenant", "move", "acme", "--to", to, "--cells", str(self.folder / "cells"), *options, cell=cell)
        out, err = command.communicate(timeout=60)
        self.assertEqual(command.returncode, 1, out + err)
        self.assertEqual(self.state("a"), "here")
        self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.move"), "0")
        return err

    # --- the wrong database ------------------------------------------------------------------------

    def other_database(self):
        """Of Postern, and of no cell."""
        self.sql("postgres", "DROP DATABASE IF EXISTS c WITH (FORCE)")
        self.sql("postgres", "CREATE DATABASE c")
        subprocess.run([BIN / "postern", "migrate", "--database", self.postgres.url(database="c")], check=True,
                       stdout=subprocess.DEVNULL)
        self.write("b", self.postgres.url("postern_operator", "c"))

    def test_a_database_without_a_scheduler(self):
        self.other_database()
        self.assertIn("no scheduler is up in the database of the cell b", self.refused())
        self.sql("c", "INSERT INTO postern.instance (id, program, name, version, beat_at)"
                      " VALUES (gen_random_uuid(), 'postern-scheduler', 'one', '1', now() - interval '2 minutes')")
        self.assertIn("no scheduler is up", self.refused())
        self.assertIn("no scheduler is up", self.refused("--accept"))

    def test_a_database_of_another_cell(self):
        self.other_database()
        self.beat("c")
        self.assertIn("postern-scheduler (one) of the cell c", self.refused())
        for options in (("--accept",), ("--gone", "--yes"), ("--gone", "--yes", "--accept")):
            self.assertIn("postern-scheduler (one) of the cell c", self.refused(*options))

    def test_programs_that_do_not_know_their_label(self):
        for cell in "ab":
            self.beat(cell, "", "postern-fcgi", "web")
            self.assertIn(f"the cell {cell} has a postern-fcgi (web) without a label", self.refused())
            self.sql(cell, "UPDATE postern.instance SET started_at = now() - interval '1 hour' WHERE name = 'web'")
            self.beat(cell, cell, "postern-fcgi", "web")  # it was started again, with the label
        self.move()

    def test_a_move_that_has_begun_goes_on_whatever_programs_say(self):
        with self.held("b", "tenant", "INSERT"):
            moving = self.command()
            self.kill_when_held("b", moving)
        self.sql("b", "DROP FUNCTION public.held_up CASCADE")
        self.sql("b", "DELETE FROM postern.instance")
        self.beat("a", "", "postern-fcgi", "web")
        self.move()
        self.assertEqual(self.state("b"), "here")

    # --- a pooler ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def pooled(self, cell):
        """The cell's settings lead through PgBouncer."""
        pool = self.folder / "pool"
        shutil.rmtree(pool, ignore_errors=True)
        pool.mkdir()
        (pool / "users").write_text('"postern_operator" ""\n')
        (pool / "pgbouncer.ini").write_text(POOL.format(server=self.postgres.folder, folder=pool))
        owner = as_owner()
        if "user" in owner:
            self.folder.chmod(self.folder.stat().st_mode | 0o011)
            for path in (pool, *pool.iterdir()):
                shutil.chown(path, owner["user"], owner["group"])
        bouncer = subprocess.Popen([PGBOUNCER, "-q", pool / "pgbouncer.ini"], stderr=subprocess.DEVNULL, **owner)
        try:
            self.until(lambda: (pool / ".s.PGSQL.5432").exists())
            self.write(cell, f"host={pool} dbname={cell} user=postern_operator")
            yield
        finally:
            bouncer.kill()
            bouncer.wait()

    def test_through_a_pooler(self):
        for cell in "ab":
            with self.subTest(cell), self.pooled(cell):
                for options in ((), ("--undo",), ("--gone", "--yes")):
                    self.assertIn(f"between this command and the database of the cell {cell} is a pooler", self.refused(*options))
                self.assertEqual(self.sql(cell, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0")
            self.write(cell, self.postgres.url("postern_operator", cell))
        self.move()

    def test_the_database_of_this_cell_is_named_past_a_pooler(self):
        with self.pooled("a"):
            self.postern("--database", self.postgres.url("postern_operator", "a"), "tenant", "move", "acme", "--to", "b",
                         "--cells", str(self.folder / "cells"))
        self.assertEqual(self.state("a"), "moved")

    def test_an_undo_without_the_target_through_a_pooler(self):
        self.write("b", "host=/nowhere dbname=b")
        with self.pooled("a"):
            self.assertIn("database of the cell a is a pooler", self.refused("--undo"))

    # --- what is away ------------------------------------------------------------------------------

    def test_a_database_that_cannot_be_reached_is_named(self):
        for cell in "ab":
            self.write(cell, f"host=/nowhere dbname={cell}")
            self.assertIn(f"cannot connect to the database of the cell {cell}: ", self.refused())
            self.write(cell, self.postgres.url("postern_operator", cell))

    # --- a tenant that has moved -------------------------------------------------------------------

    def test_what_the_old_cell_says_of_it(self):
        self.sql("a", "DELETE FROM postern.tenant WHERE name = 'acme'")
        self.fill()
        self.move()
        for words in (("secret", "show"), ("secret", "rotate"), ("secret", "rotate", "--force"), ("key", "list"),
                      ("key", "create", "--name", "new", "--role", "read"), ("key", "revoke", "--name", "one")):
            with self.subTest(words):
                command = self.start(*words, "--tenant", "acme")
                out, err = command.communicate(timeout=60)
                self.assertEqual(command.returncode, 1, out)
                self.assertIn("the tenant acme has moved to the cell b (https://b.test)", err)
        self.assertEqual(self.postern("secret", "show", "--tenant", "acme", cell="b")["secret"], "whsec_YWJj")


if __name__ == "__main__":
    unittest.main()
