#!/usr/bin/python3
"""A cell that was restored from a backup has tenants again that have moved away since."""

import subprocess
import unittest

from two_databases import TwoDatabases


class Restored(TwoDatabases):
    # The cell a as it is at this moment, to be restored later.
    def back_up(self):
        self.sql("postgres", "DROP DATABASE IF EXISTS backup WITH (FORCE)")
        self.sql("postgres", "CREATE DATABASE backup TEMPLATE a")

    def restore(self):
        self.sql("postgres", "DROP DATABASE a WITH (FORCE)")
        self.sql("postgres", "ALTER DATABASE backup RENAME TO a")

    def assert_refused(self, why, *options):
        command = self.start("--yes", "tenant", "move", "acme", "--to", "b", "--cells", str(self.folder / "cells"), *options)
        _, err = command.communicate(timeout=60)
        self.assertEqual(command.returncode, 1, err)
        self.assertIn(why, err)

    def test_a_tenant_that_has_moved_since_is_gone_again(self):
        self.fill()
        self.back_up()
        before = self.rows("a")
        self.move()
        self.restore()
        self.sql("a", "INSERT INTO postern.task (id, state, tenant, queue, lane, url)"
                      " SELECT postern.new_task_id(), 'ready', 'acme', 'q', 1, 'http://receiver.test/'")
        beside, there = self.rows("a", "beside"), self.rows("b")
        # Without the word nothing happens, and the other end alone decides.
        self.assert_refused("has a tenant acme already")
        self.assertEqual(self.state("a"), "here")
        done = self.move("b", "a", "--gone", "--yes")
        self.assertGreater(done["deleted"], len(before["task"]))
        self.assert_nothing("a")
        self.assertEqual(self.sql("a", "SELECT state, moved_to, moved_url FROM postern.tenant WHERE name = 'acme'"),
                         "moved|b|https://b.test")
        self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.move"), "0")
        self.assertEqual(self.rows("a", "beside"), beside)
        self.assertEqual(self.rows("b"), there)
        # Nothing of it is written here any more, as after any move.
        refused = subprocess.run(
            [self.postgres.bin / "psql", "-XAtq", "-v", "VERBOSITY=sqlstate", self.postgres.url(database="a"), "-c",
             "INSERT INTO postern.queue (tenant, name) VALUES ('acme', 'late')"], capture_output=True, text=True, check=False)
        self.assertIn("PM002", refused.stderr)
        self.assert_refused("has nothing of the tenant", "--gone")

    def test_a_move_that_the_restored_cell_does_not_know_is_ended(self):
        self.fill()
        self.back_up()
        with self.held("a", "task", "DELETE"):
            self.kill_when_held("a", self.command())
        self.restore()
        before, there = self.rows("a"), self.rows("b")
        for options in ((), ("--undo",), ("--accept",)):
            self.assert_refused("`--gone` deletes what a has", *options)
            self.assertEqual((self.rows("a"), self.state("a")), (before, "here"))
            self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.move"), "0")
        # As the first command leaves it in b when it is killed right behind the arrival.
        self.sql("b", "CREATE TRIGGER fence_arriving AFTER INSERT ON postern.task FOR EACH ROW WHEN (NEW.tenant = 'acme')"
                      " EXECUTE FUNCTION postern.fence('arriving')")
        # Killed, it goes on.
        with self.held("a", "task", "DELETE"):
            self.kill_when_held("a", self.command("--gone", "--yes"))
        self.assertGreater(self.move("b", "a", "--gone", "--yes")["deleted"], 0)
        self.assert_nothing("a")
        self.assertEqual((self.state("a"), self.state("b")), ("moved", "here"))
        self.assertEqual(self.rows("b"), there)
        self.assertEqual(self.sql("b", "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'fence\\_%'"), "0")
        for cell in "ab":
            self.assertEqual(self.sql(cell, "SELECT count(*) FROM postern.move"), "0")

    def test_a_move_of_a_tenant_that_the_restored_cell_does_not_know_is_ended(self):
        self.back_up()
        self.fill()
        with self.held("a", "task", "DELETE"):
            self.kill_when_held("a", self.command())
        self.restore()
        there = self.rows("b")
        self.assert_refused("`--gone` deletes what a has")
        self.assertEqual(self.move("b", "a", "--gone", "--yes")["deleted"], 0)
        self.assertEqual((self.state("a"), self.state("b")), ("", "here"))
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.move"), "0")
        self.assertEqual(self.rows("b"), there)

    def test_one_that_was_about_to_move_is_gone_again(self):
        self.fill()
        self.sql("a", "INSERT INTO postern.move (tenant, id, source, other, step)"
                      " VALUES ('acme', gen_random_uuid(), true, 'b', 'copying')")
        self.sql("a", "UPDATE postern.tenant SET state = 'fenced' WHERE name = 'acme'")
        self.back_up()
        self.sql("a", "DELETE FROM postern.move")
        self.sql("a", "UPDATE postern.tenant SET state = 'here' WHERE name = 'acme'")
        self.move()
        self.restore()
        self.move("b", "a", "--gone", "--yes")
        self.assert_nothing("a")
        self.assertEqual(self.state("a"), "moved")

    def test_it_is_not_gone_where_the_other_cell_does_not_have_it(self):
        self.fill()
        before = self.rows("a")
        self.assert_refused("does not have the tenant acme", "--gone")
        self.sql("b", "INSERT INTO postern.tenant (name, state) VALUES ('acme', 'arriving')")
        self.assert_refused("does not have the tenant acme", "--gone")
        # As `default` is in every cell, with the key of its setup.
        self.sql("b", "UPDATE postern.tenant SET state = 'here' WHERE name = 'acme';"
                      "INSERT INTO postern.api_key (hash, name, role, tenant) VALUES (sha256('first'), 'first', 'admin', 'acme')")
        self.assert_refused("b has nothing of the tenant acme", "--gone")
        self.assertEqual(self.rows("a"), before)
        self.assertEqual(self.state("a"), "here")
        self.assertGreater(self.move("b", "a", "--gone", "--yes", "--accept")["deleted"], 0)

    def test_a_tenant_that_was_made_there_beforehand_is_the_one_that_has_moved(self):
        self.fill()
        self.back_up()
        self.sql("b", "INSERT INTO postern.tenant (name, created_at) VALUES ('acme', '2026-01-02')")
        self.move()
        self.restore()
        self.assertGreater(self.move("b", "a", "--gone", "--yes")["deleted"], 0)

    def test_another_tenant_of_the_name_is_no_evidence(self):
        self.fill()
        before = self.rows("a")
        self.sql("b", "INSERT INTO postern.tenant (name, created_at) VALUES ('acme', '2026-01-02');"
                      "INSERT INTO postern.queue (tenant, name) VALUES ('acme', 'its_own')")
        self.assert_refused("b has a tenant acme that was made at another time", "--gone")
        self.assertEqual((self.rows("a"), self.state("a")), (before, "here"))
        self.assertGreater(self.move("b", "a", "--gone", "--yes", "--accept")["deleted"], 0)

    def test_it_asks_before_it_deletes(self):
        self.fill()
        self.back_up()
        self.move()
        self.restore()
        before = self.rows("a")
        command = self.start("tenant", "move", "acme", "--to", "b", "--cells", str(self.folder / "cells"), "--gone")
        _, err = command.communicate(timeout=60)
        self.assertEqual(command.returncode, 2, err)
        self.assertIn("--yes", err)
        self.assertEqual((self.rows("a"), self.state("a")), (before, "here"))


if __name__ == "__main__":
    unittest.main()
