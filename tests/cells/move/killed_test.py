#!/usr/bin/python3
"""A move that is killed, with the servers or alone: every row is in one cell, and the next call ends it."""

import contextlib
import os
import random
import re
import signal
import subprocess
import time
import unittest

from two_databases import TwoDatabases, Writer


class Killed(TwoDatabases):
    def setUp(self):
        super().setUp()
        self.fill(400)

    def command(self, *options, env=None):
        return self.start("--json", "tenant", "move", "acme", "--to", "b", "--cells", str(self.folder / "cells"), *options, env=env)

    def owner(self):
        """The cell that the tenant is in; exactly one."""
        states = {cell: self.state(cell) for cell in "ab"}
        owners = [cell for cell, state in states.items() if state in ("here", "draining", "fenced")]
        # Between the two commits the target has it, and the source refuses.
        if owners == ["a", "b"] and states["a"] == "fenced":
            return "b"
        self.assertEqual(len(owners), 1, states)
        return owners[0]

    def assert_all_in_one(self, ids):
        owner = self.owner()
        listed = "{" + ",".join(ids) + "}"
        for table in ("task_all",):
            found = self.sql(owner, f"SELECT count(DISTINCT id) || ' ' || count(*) FROM postern.{table} WHERE id = ANY('{listed}')")
            self.assertEqual(found, f"{len(ids)} {len(ids)}", owner)

    def check_after(self, writer, before):
        """All is in one cell, and after the next call it is in b alone."""
        writer.end()
        self.assertLessEqual(writer.errors, {"PM001", "PM002", "57P01", "57P03"})
        self.assert_all_in_one(writer.acknowledged)
        if self.owner() == "a" or any(self.sql(cell, "SELECT count(*) FROM postern.move") != "0" for cell in "ab"):
            self.move()
        self.assertEqual(self.owner(), "b")
        self.assert_all_in_one(writer.acknowledged)
        after = self.rows("b")
        for table in ("schedule_run", "api_key", "endpoint", "idempotency_key", "dependency", "counter"):
            rows = [row for row in after[table] if not row.startswith("w|")]
            self.assertEqual(rows, before[table], table)
        for cell in "ab":
            self.assertEqual(self.sql(cell, "SELECT count(*) FROM postern.move"), "0")
        self.assert_nothing("a")

    def test_the_command_is_killed_at_any_moment(self):
        seed = int(os.environ.get("POSTERN_SEED", random.randrange(10**6)))
        print(f"POSTERN_SEED={seed}")
        chance = random.Random(seed)
        before = self.rows("a")
        writer = Writer(self)
        writer.start()
        try:
            self.until(lambda: len(writer.acknowledged) > 20)
            for round_number in range(int(os.environ.get("POSTERN_KILLS", "8"))):
                command = self.command()
                try:
                    command.communicate(timeout=chance.uniform(0.05, 6))
                except subprocess.TimeoutExpired:
                    command.kill()
                    command.communicate()
                if self.owner() == "b":
                    break
                if round_number % 3 == 2:
                    self.postern("tenant", "move", "acme", "--to", "b", "--undo", "--cells", str(self.folder / "cells"))
                    self.assertEqual(self.state("a"), "here")
                    self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.task_all"), "0")
                    self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.move_change"), "0")
        finally:
            writer.end()
        self.check_after(writer, before)

    def test_the_servers_are_killed_and_the_command_goes_on(self):
        before = self.rows("a")
        writer = Writer(self)
        writer.start()
        command = self.command()
        try:
            self.until(lambda: self.moves("a") == "1")  # it has both connections
            for wait in (0.3, 1.5):
                time.sleep(wait)
                self.postgres.stop(signal.SIGQUIT)
                self.postgres.start()
            out, err = command.communicate(timeout=200)
            self.assertEqual(command.returncode, 0, out + err)
        finally:
            command.kill()
            command.wait()
            writer.end()
        self.check_after(writer, before)

    # --- between the change of a state and that of the triggers -------------------------------------

    @contextlib.contextmanager
    def vacuumed(self, cell):
        """No trigger can be made or dropped, as while a table is vacuumed."""
        holder = subprocess.Popen([self.postgres.bin / "psql", "-XAtq", self.postgres.url(database=cell)], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            holder.stdin.write("BEGIN; LOCK TABLE postern.api_key IN SHARE UPDATE EXCLUSIVE MODE;\n\\echo locked\n")
            holder.stdin.flush()
            while holder.stdout.readline() != "locked\n":
                pass
            yield
        finally:
            holder.kill()
            holder.communicate()

    def kill_when(self, ready, command):
        self.until(lambda: ready() or command.poll() is not None)
        self.assertIsNone(command.returncode)
        command.kill()
        command.communicate()
        self.wait_for_sessions()

    def moves(self, cell):
        return self.sql(cell, "SELECT count(*) FROM postern.move")

    def triggers(self, cell, name="fence\\_%"):
        return self.sql(cell, f"SELECT count(*) FROM pg_trigger WHERE tgname LIKE '{name}'")

    def assert_untouched(self, cell):
        """Nothing that is written there is looked at, or has been noted."""
        self.assertEqual(self.triggers(cell), "0")
        self.assertEqual(self.sql(cell, "SELECT count(*) FROM postern.move_change"), "0")

    def assert_no_move(self, *options, cell="a", to="b"):
        command = self.start("tenant", "move", "acme", "--to", to, "--cells", str(self.folder / "cells"), "--undo", *options, cell=cell)
        _, err = command.communicate(timeout=100)
        self.assertEqual(command.returncode, 1, err)
        self.assertIn("no move of the tenant", err)

    def undo_until_it_is_undone_at_the_source(self):
        """Behind that the tenant's changes are still noted."""
        with self.vacuumed("a"):
            self.kill_when(lambda: self.moves("a") == "0", self.command("--undo"))
        self.assertNotEqual(self.triggers("a"), "0")
        self.sql("a", "UPDATE postern.task SET priority = 60 WHERE tenant = 'acme'")
        self.assertNotEqual(self.sql("a", "SELECT count(*) FROM postern.move_change"), "0")

    def test_an_undo_is_killed_before_the_triggers_go(self):
        with self.held("b", "schedule_run"):
            self.kill_when_held("b", self.command())
        self.undo_until_it_is_undone_at_the_source()
        self.finish(self.command("--undo"))
        self.assert_untouched("a")
        self.assertEqual((self.state("a"), self.state("b")), ("here", ""))

    def test_an_undo_without_the_target_is_killed_before_the_triggers_go(self):
        with self.held("b", "schedule_run"):
            self.kill_when_held("b", self.command())
        there = self.folder / "cells" / "b.conf"
        there.write_text(there.read_text().replace("database = ", "database = host=/nowhere "))
        self.undo_until_it_is_undone_at_the_source()
        self.assert_no_move()
        self.assert_untouched("a")

    def test_a_move_back_is_killed_before_the_triggers_go(self):
        self.move()
        back = ("tenant", "move", "acme", "--to", "a", "--cells", str(self.folder / "cells"))
        with self.vacuumed("a"):
            self.kill_when(lambda: self.moves("a") == "1", self.start(*back, cell="b"))
        self.assertNotEqual(self.triggers("a"), "0")
        with self.held("a", "schedule_run"):
            self.kill_when_held("a", self.start(*back, cell="b"))
        self.assertNotEqual(self.triggers("a"), "0")
        self.assertEqual(self.triggers("a", "fence_arriving"), self.triggers("a"))
        self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.move_change"), "0")
        # And undone, before those are there that refuse who has left.
        with self.vacuumed("a"):
            self.kill_when(lambda: self.moves("a") == "0", self.start(*back, "--undo", cell="b"))
        self.assertEqual((self.state("a"), self.triggers("a", "fence_left")), ("moved", "0"))
        self.assert_no_move(cell="b", to="a")
        self.assertNotEqual(self.triggers("a", "fence_left"), "0")
        self.move("a", "b")
        self.assert_untouched("a")

    def points(self, *options):
        """The points of the command right after each of its steps, that is, of its statements that have a name."""
        command = self.command(*options, env={"POSTERN_CRASH_AT": "list"})
        _, err = command.communicate(timeout=200)
        self.assertEqual(command.returncode, 0, err)
        return re.findall(r"^crash_point (move_\w+\.answered)$", err, re.MULTILINE)

    @unittest.skipUnless("POSTERN_CRASH_POINTS" in os.environ, "for builds that have crash points")
    def test_the_command_is_killed_at_each_point(self):
        points = self.points()
        self.assertGreater(len(points), 10)
        for point in points:
            with self.subTest(point):
                Killed.setUp(self)
                before = self.rows("a")
                writer = Writer(self)
                writer.start()
                command = self.command(env={"POSTERN_CRASH_AT": point})
                command.communicate(timeout=200)
                self.assertEqual(command.returncode, 137)
                self.check_after(writer, before)

    def interrupt(self, table):
        """A move is killed when it writes that table: while it copies, or in its pause."""
        with self.held("b", table):
            self.kill_when_held("b", self.command())

    @unittest.skipUnless("POSTERN_CRASH_POINTS" in os.environ, "for builds that have crash points")
    def test_an_undo_is_killed_at_each_point(self):
        self.interrupt("queue")
        points = self.points("--undo")
        self.assertGreater(len(points), 5)
        # Of those that are at both ends, the second.
        points += [point + ":2" for point in points if point.startswith(("move_note_server.", "move_forget_stray."))]
        self.assertIn("move_forget_stray.answered:2", points)
        for point in points:
            for table, again in (("queue", ["--undo"]), ("schedule_run", [])):
                with self.subTest(point, table=table):
                    Killed.setUp(self)
                    before = self.rows("a")
                    writer = Writer(self)
                    writer.start()
                    self.interrupt(table)
                    command = self.command("--undo", env={"POSTERN_CRASH_AT": point})
                    command.communicate(timeout=200)
                    self.assertEqual(command.returncode, 137)
                    if again:
                        self.undo_again(writer, before)
                    self.check_after(writer, before)

    def undo_again(self, writer, before):
        """All is as if the tenant had never been about to move."""
        command = self.command("--undo")
        out, err = command.communicate(timeout=200)
        if command.returncode:  # it was all done
            self.assertIn("no move of the tenant", err, out)
        written = len(writer.acknowledged)
        self.until(lambda: len(writer.acknowledged) > written)
        writer.end()
        self.assertEqual((self.state("a"), self.state("b")), ("here", ""))
        self.assert_all_in_one(writer.acknowledged)
        after = self.rows("a")
        for table, rows in before.items():
            self.assertEqual([row for row in after[table] if row in set(rows)], rows, table)
        self.assert_nothing("b")
        for cell in "ab":
            self.assertEqual(self.moves(cell), "0")
            self.assert_untouched(cell)


if __name__ == "__main__":
    unittest.main()
