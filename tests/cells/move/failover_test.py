#!/usr/bin/python3
"""Moves whose servers fail over, or are replaced by others: nothing is lost, and no former primary is taken."""

import signal
import unittest

from with_standby import WithStandby

from postgres import Standby

WAITER = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'postern'"


class Failover(WithStandby):
    # --- the target fails over ----------------------------------------------------------------------

    def test_goes_on_at_the_standby_that_took_over(self):
        before = self.rows("a")
        with self.held("b", "schedule_run"):  # which is copied last
            moving = self.command_that_waits()
            self.former.stop(signal.SIGQUIT)
            self.take_over()
            self.assertIn("timeline 2", self.finish(moving))
        self.assert_moved(before)

    def test_leaves_a_former_primary_that_goes_on(self):
        before = self.rows("a")
        with self.held("b", "schedule_run"):
            moving = self.command_that_waits()
            self.take_over()
            self.assertIn("timeline 2", self.finish(moving))
        self.assert_moved(before)
        self.assertEqual(self.former.psql("SELECT state FROM postern.tenant WHERE name = 'acme'", "b"), "arriving")

    def test_does_not_go_back_to_the_former_primary(self):
        before = self.rows("a")
        with self.held("b", "schedule_run"):
            moving = self.command_that_waits()
            self.take_over()
            with self.locked("b"):  # and there it waits again
                self.until(lambda: self.waits("b"))
                self.standby.stop(signal.SIGQUIT)
        sessions = "SELECT sessions FROM pg_stat_database WHERE datname = 'b'"
        things = "SELECT (SELECT m FROM postern.move m), (SELECT count(*) FROM postern.task), (SELECT count(*) FROM postern.schedule_run)"
        left, tried = self.former.psql(things, "b"), int(self.former.psql(sessions, "postgres"))
        self.until(lambda: int(self.former.psql(sessions, "postgres")) > tried + 10)
        self.assertEqual(self.former.psql(things, "b"), left)
        self.assertIsNone(moving.poll())
        self.standby.start()
        self.finish(moving)
        self.assert_moved(before)

    def test_leaves_a_frozen_one(self):
        before = self.rows("a")
        with self.held("b", "queue"):  # in the pause
            moving = self.command_that_waits()
            self.former.signal_all(signal.SIGSTOP)
            self.addCleanup(self.former.signal_all, signal.SIGCONT)
            self.take_over()
            self.assertIn("timeline 2", self.finish(moving))
        self.assert_moved(before)

    def test_copies_again_what_the_failover_has_lost(self):
        """What had changed was copied again, and the source has forgotten that it had; no comparison sees these columns."""
        with self.held("b", "queue"):  # which is copied in the pause
            self.follow()
            self.kill_when_held("b", self.command())
            self.assertEqual(self.state("a"), "fenced")
            self.until(lambda: self.standby.psql("SELECT step FROM postern.move", "b") == "copied")
            self.standby.stop()
            moving = self.command()
            # Until it is fenced again, several seconds later, what changes is noted and copied.
            self.until(lambda: self.state("a") in ("here", "draining"))
            self.sql("a", """
                UPDATE postern.task SET headers = '{"later":"1"}' WHERE id = (
                  SELECT id FROM postern.task WHERE tenant = 'acme' AND state = 'delayed' ORDER BY id LIMIT 1);
                DELETE FROM postern.lease WHERE task = (SELECT task FROM postern.lease WHERE tenant = 'acme' AND deferred LIMIT 1)""")

            def is_forgotten():
                self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.move_change"), "0")
                self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.task WHERE headers::text LIKE '%later%'"), "1")

            self.kill_when_held("b", moving, is_forgotten)
        before = self.rows("a")
        self.former.stop(signal.SIGQUIT)
        self.take_over()
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.task WHERE headers::text LIKE '%later%'"), "0")
        self.assertIn("copying it again", self.finish(self.start(
            "tenant", "move", "acme", "--to", "b", "--cells", str(self.folder / "cells"))))
        self.assert_moved(before)

    def test_deletes_nothing_when_the_arrival_is_lost(self):
        self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('acme')")  # as `default` is in every cell
        self.follow()
        self.standby.stop()
        before = self.rows("a")
        with self.held("a", "task", "DELETE"):
            self.kill_when_held("a", self.command(), lambda: self.assertEqual(self.state("b"), "here"))
        self.assertEqual(self.state("a"), "moved")
        self.former.stop(signal.SIGQUIT)
        self.take_over()
        self.assertEqual((self.state("b"), self.sql("b", "SELECT count(*) FROM postern.task")), ("here", "0"))
        self.assertIn("does not know that the tenant has arrived", self.refused())
        left = self.rows("a")
        for table in ("task", "task_finished", "idempotency_key", "lease", "dependency", "counter"):
            self.assertEqual(left[table], before[table], table)
        # The server that has it is back.
        self.standby.stop(signal.SIGQUIT)
        self.former.start()
        self.servers["b"] = self.former
        self.assertIn("a former primary", self.refused())
        self.finish(self.command("--accept"))
        self.assert_moved(before)

    def test_a_source_takes_back_what_the_target_has_lost_for_good(self):
        before = self.rows("a")
        self.follow()
        with self.held("a", "task", "DELETE"):
            with self.held("b", "queue"):
                moving = self.command()
                self.until(lambda: self.waits("b"))
                self.until(lambda: self.standby.psql("SELECT step FROM postern.move", "b") == "copied")
                self.standby.stop()
            self.kill_when_held("a", moving)
        self.assertEqual((self.state("a"), self.state("b")), ("moved", "here"))
        # The secret is the first that is deleted.
        self.sql("a", "SET postern.move = 'deletes'; DELETE FROM postern.tenant_secret WHERE tenant = 'acme'")
        self.former.stop(signal.SIGQUIT)
        self.take_over()
        self.assertEqual(self.state("b"), "arriving")
        for options in ((), ("--accept",)):
            self.assertIn("--undo --accept", self.refused(*options))
        self.assertIn("is lost for good", self.refused("--undo"))
        self.finish(self.command("--undo", "--accept"))
        self.assertEqual((self.state("a"), self.state("b")), ("here", ""))
        after = self.rows("a")
        self.assertNotEqual(after["tenant_secret"], [])
        self.assertLessEqual(set(before["sequel"]), set(after["sequel"]))
        self.assert_all_there({table: rows for table, rows in before.items() if table not in ("tenant_secret", "sequel")}, "a")
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.task_all"), "0")
        for cell in "ab":
            self.assertEqual(self.sql(cell, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'fence\\_%'"), "0")
        before = self.rows("a")
        self.finish(self.command())
        self.assert_moved(before)

    def test_a_source_takes_back_what_was_lost_with_the_target(self):
        self.sql("a", "INSERT INTO postern.task (id, state, tenant, queue, lane, url, idempotency_key) SELECT postern.new_task_id(), 'ready',"
                      " 'acme', 'a', 1, 'http://receiver.test/', 'many ' || n FROM generate_series(1, 2100) n;"
                      "INSERT INTO postern.idempotency_key SELECT tenant, idempotency_key, id, '', now() + interval '1 hour' FROM postern.task"
                      " WHERE queue = 'a'")
        blocked = self.sql("a", "SELECT count(*) FROM postern.task WHERE tenant = 'acme' AND state = 'blocked'")
        with self.held("a", "lease", "DELETE"):  # in the second chunk
            self.kill_when_held("a", self.command())
        self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.task WHERE queue = 'a'"), "100")
        self.former.stop(signal.SIGQUIT)
        for options in ((), ("--accept",)):
            self.assertIn("give b an empty one in its place", self.refused("--undo", *options))
        self.servers["b"] = self.server()
        self.migrate("b")
        self.lead("b", self.servers["b"])
        # One that has such a tenant, but nothing of it.
        self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('acme')")
        self.assertIn("does not know that the tenant has arrived", self.refused("--accept"))
        self.finish(self.command("--undo", "--accept"))
        self.assertEqual((self.state("a"), self.sql("a", "SELECT count(*) FROM postern.task WHERE queue = 'a'")), ("here", "100"))
        # What released them may have been deleted.
        self.assertEqual(self.sql("a", "SELECT count(DISTINCT t.id) FROM postern.task t JOIN postern.sequel s ON s.task = t.id"
                                       " WHERE t.tenant = 'acme' AND t.state = 'blocked'"), blocked)
        # The idempotency keys of what was deleted have ended, and no others.
        keys = ("SELECT count(*) FROM postern.idempotency_key k WHERE tenant = 'acme' AND expires_at > now() AND {}"
                 " EXISTS (SELECT FROM postern.task_all t WHERE t.id = k.task)")
        self.assertEqual(self.sql("a", keys.format("NOT")), "0")
        self.assertGreater(int(self.sql("a", keys.format(""))), 100)

    def test_a_source_takes_nothing_back_where_the_target_has_it(self):
        before = self.rows("a")
        with self.held("a", "task", "DELETE"):
            self.kill_when_held("a", self.command())
        self.sql("b", "DELETE FROM postern.move")  # as when the source has lost the end of the move
        self.assertIn("has rows of one of that name", self.refused("--undo", "--accept"))
        self.finish(self.command("--accept"))
        self.assert_moved(before)

    def test_a_source_takes_nothing_back_that_has_moved_on(self):
        with self.held("a", "task", "DELETE"):
            self.kill_when_held("a", self.command())
        self.sql("b", "DELETE FROM postern.move; UPDATE postern.tenant SET state = 'moved', moved_to = 'c', moved_url = 'https://c.test',"
                      " moved_at = now() WHERE name = 'acme'")
        self.assertIn("moved on from there to the cell c", self.refused("--undo", "--accept"))

    def test_a_target_that_had_taken_over_gives_the_tenant_up(self):
        with self.held("a", "task", "DELETE"):
            self.kill_when_held("a", self.command())
        # As it is before the source knows.
        self.sql("a", "UPDATE postern.tenant SET state = 'fenced', moved_to = NULL, moved_url = NULL, moved_at = NULL WHERE name = 'acme';"
                      "UPDATE postern.move SET step = 'copying'")
        before = self.rows("a")
        self.former.stop(signal.SIGQUIT)
        self.assertIn("postern tenant move acme --to a --gone --accept", self.finish(self.command("--undo", "--accept")))
        self.former.start()
        self.assertEqual((self.state("a"), self.state("b")), ("here", "here"))
        for options in ((), ("--undo",)):
            self.assertIn("postern tenant move acme --to a --gone --accept", self.refused(*options))
        self.move("a", "b", "--gone", "--yes", code=1)
        # Nor where the other cell does not have it.
        self.sql("a", "UPDATE postern.tenant SET state = 'fenced' WHERE name = 'acme'")
        self.move("a", "b", "--gone", "--yes", "--accept", code=1)
        self.sql("a", "UPDATE postern.tenant SET state = 'here' WHERE name = 'acme'")
        self.assertEqual(self.sql("b", "SELECT step FROM postern.move"), "arrived")
        self.assertGreater(self.move("a", "b", "--gone", "--yes", "--accept")["deleted"], 0)
        self.assertEqual((self.state("a"), self.state("b"), self.rows("a")), ("here", "moved", before))
        self.assert_nothing("b")
        for cell in "ab":
            self.assertEqual(self.sql(cell, "SELECT count(*) FROM postern.move"), "0")

    def test_deletes_nothing_that_the_standby_has_not(self):
        self.follow_synchronously()
        before = self.rows("a")
        with self.held("b", "queue"):
            moving = self.command()
            self.until(lambda: self.waits("b"))
            self.standby.stop()
        seen = {""}
        for _ in range(4):  # the arrival's commit, and the tries behind it: each wait is cut short
            self.until(lambda: self.sql("b", f"SELECT query_start {WAITER}") not in seen)
            seen.add(self.sql("b", f"SELECT query_start {WAITER}"))
            self.assertEqual((self.rows("a"), self.state("a")), (before, "fenced"))
            self.sql("b", f"SELECT pg_cancel_backend(pid) {WAITER}")
        out, err = moving.communicate(timeout=60)
        self.assertEqual(moving.returncode, 1, out + err)
        self.assertIn("standby has not confirmed", err)
        self.assertEqual((self.state("a"), self.state("b")), ("fenced", "here"))
        self.standby.start()
        self.finish(self.command())
        self.assert_moved(before)

    def test_a_restored_cell_keeps_what_the_standby_has_not(self):
        self.sql("postgres", "DROP DATABASE IF EXISTS backup")
        self.sql("postgres", "CREATE DATABASE backup TEMPLATE a")
        self.finish(self.command())
        self.sql("postgres", "DROP DATABASE a WITH (FORCE)")
        self.sql("postgres", "ALTER DATABASE backup RENAME TO a")
        before = self.rows("a")
        self.follow_synchronously()
        self.standby.stop()
        moving = self.command("--gone", "--yes")
        self.until(lambda: self.sql("b", f"SELECT count(*) {WAITER}") == "1" or moving.poll() is not None)
        self.assertEqual((self.rows("a"), self.state("a"), moving.poll()), (before, "here", None))
        self.standby.start()
        self.finish(moving)
        self.assert_nothing("a")

    def test_is_undone_without_the_target(self):
        with self.held("b", "schedule_run"):
            self.kill_when_held("b", self.command())
        self.former.stop(signal.SIGQUIT)
        # Where another one is away, nothing is undone.
        (self.folder / "cells" / "c.conf").write_text(
            "database = host=/nowhere dbname=c user=postern_operator\ncell = c\npublic_url = https://c.test\n")
        self.addCleanup((self.folder / "cells" / "c.conf").unlink)
        elsewhere = self.start("tenant", "move", "acme", "--to", "c", "--cells", str(self.folder / "cells"), "--undo", "--accept")
        _, err = elsewhere.communicate(timeout=100)
        self.assertEqual(elsewhere.returncode, 1, err)
        self.assertRegex(err, r"cell c cannot be reached: .*/nowhere")
        self.assertIn("goes to the cell b", err)
        self.assertEqual(self.sql("a", "SELECT other FROM postern.move"), "b")
        self.sql("a", "UPDATE postern.task SET priority = 60 WHERE id = (SELECT id FROM postern.task WHERE tenant = 'acme' LIMIT 1)")
        _, err = self.command("--undo").communicate(timeout=100)
        self.assertIn("stays there", err)
        self.assertEqual((self.state("a"), self.sql("a", "SELECT count(*) FROM postern.move")), ("here", "0"))
        self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.move_change"), "0")
        self.assertEqual(self.sql("a", "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'fence%'"), "0")
        # It is back: the next move finds what has stayed there, and begins anew.
        before = self.rows("a")
        self.former.start()
        self.servers["b"] = self.former
        with self.held_again("b", "queue"):
            self.kill_when_held("b", self.command())
        # It may have taken over now.
        self.former.stop(signal.SIGQUIT)
        _, err = self.command("--undo").communicate(timeout=100)
        self.assertIn("may have taken over", err)
        self.assertEqual(self.state("a"), "fenced")
        self.finish(self.command("--undo", "--accept"))
        self.assertEqual(self.state("a"), "here")
        self.former.start()
        self.finish(self.command("--undo"))
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.task_all"), "0")
        self.finish(self.command())
        self.assert_moved(before)

    def test_a_pause_ends_in_time_whatever_holds_it_up(self):
        before = self.rows("a")
        with self.held("b", "queue"):
            out, err = self.command(pause="1s").communicate(timeout=200)
        self.assertIn("pauses were too short", err, out)
        self.assertEqual((self.rows("a"), self.state("a")), (before, "here"))
        self.finish(self.command())
        self.assert_moved(before)

    def test_a_pause_ends_in_time_though_no_table_alone_takes_it(self):
        before = self.rows("a")
        self.sql("b", "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$")
        for table in ("queue", "endpoint", "schedule", "api_key", "sequel"):
            self.sql("b", f"CREATE TRIGGER slow AFTER INSERT ON postern.{table} FOR EACH STATEMENT EXECUTE FUNCTION public.slow()")
        out, err = self.command(pause="2s").communicate(timeout=200)
        self.assertIn("pauses were too short", err, out)
        self.assertEqual((self.rows("a"), self.state("a")), (before, "here"))
        self.finish(self.command())
        self.assert_moved(before)

    def test_minutes_of_a_move_that_was_interrupted_long_ago(self):
        with self.held("b", "queue"):
            self.kill_when_held("b", self.command())
        # As if it had been begun then: what has come since is copied before the pause, and the last two minutes in it.
        self.sql("a", """
            UPDATE postern.move SET begun_at = begun_at - interval '2 hours';
            INSERT INTO postern.queue_minute (minute, tenant, queue, created, completed, failed, cancelled, attempts, attempts_failed)
              SELECT date_trunc('minute', now()) - n * interval '1 minute', 'acme', 'later', n, 0, 0, 0, 0, 0 FROM generate_series(0, 60) n;
            DELETE FROM postern.endpoint_minute WHERE tenant = 'acme' AND endpoint = 'hook' AND attempts % 2 = 0""")
        before = self.rows("a")
        self.finish(self.command())
        self.assert_moved(before)

    # --- another server is in its place ----------------------------------------------------------------

    def test_a_former_target_is_refused_by_the_next_call(self):
        self.follow()
        before = self.rows("a")
        with self.held("b", "queue"):
            self.kill_when_held("b", self.command())
        self.until(lambda: self.standby.psql("SELECT step FROM postern.move", "b") == "copied")
        self.take_over()
        with self.held_again("b", "queue"):
            self.kill_when_held("b", self.command())
        self.lead("b", self.former)
        for options in ((), ("--undo",)):
            self.assertRegex(self.refused(*options), r"cell b is on timeline 1, and the move has seen 2: a former primary")
        self.lead("b", self.standby)
        self.finish(self.command())
        self.assert_moved(before)

    def test_another_target_is_refused_unless_it_is_accepted(self):
        before = self.rows("a")
        with self.held("b", "queue"):
            self.kill_when_held("b", self.command())
        self.servers["b"] = self.server()
        self.migrate("b")
        self.lead("b", self.servers["b"])
        self.assertIn("another database", self.refused())
        self.finish(self.command("--accept"))
        self.assert_moved(before)

    def test_a_former_source_is_refused_by_the_next_call(self):
        first = self.server()
        self.servers["a"] = first
        self.migrate("a")
        self.fill(40)
        second = Standby(first, *self.places())
        second.start()
        self.addCleanup(second.stop, signal.SIGQUIT)
        self.lead("a", first)
        before = self.rows("a")
        with self.held("b", "queue"):
            self.kill_when_held("b", self.command())
            here = first.psql("SELECT pg_current_wal_lsn()", "postgres")
            self.until(lambda: second.psql(f"SELECT pg_last_wal_replay_lsn() >= '{here}'", "postgres") == "t")
            second.promote()
            self.servers["a"] = second
            self.lead("a", second)
            self.kill_when_held("b", self.command())
        self.lead("a", first)
        self.assertRegex(self.refused(), r"cell a is on timeline 1, and the move has seen 2: a former primary")
        self.lead("a", second)
        self.finish(self.command())
        self.assert_moved(before)

    def test_a_standby_cannot_tell_whether_a_command_is_at_a_move(self):
        """It does not know its primary's locks: there a move counts as left that was not heard of for long."""
        self.sql("b", "INSERT INTO postern.tenant (name, state) VALUES ('acme', 'arriving')")
        self.sql("b", "INSERT INTO postern.move (tenant, id, source, other, step) VALUES ('acme', gen_random_uuid(), false, 'a', 'copying')")
        left = "SELECT postern.move_is_left(tenant, updated_at) FROM postern.move"
        self.assertEqual(self.sql("b", left), "t")
        self.follow()
        self.assertEqual(self.standby.psql(left, "b"), "f")
        with self.locked("b", "hashtextextended('postern.move acme', 0)"):
            self.assertEqual(self.sql("b", left), "f")
            self.sql("b", "UPDATE postern.move SET updated_at = now() - interval '6 minutes'")
            self.assertEqual(self.sql("b", left), "f")
            self.until(lambda: self.standby.psql(left, "b") == "t")


if __name__ == "__main__":
    unittest.main()
