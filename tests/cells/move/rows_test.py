#!/usr/bin/python3
"""A tenant's rows on their way from cell to cell: all of them, once; interrupted, undone, and back."""

import json
import subprocess
import time
import unittest

from two_databases import TwoDatabases


# It is not the one that was about to come.
MADE_NOW = "SELECT created_at > now() - interval '1 hour' FROM postern.tenant WHERE name = 'acme'"


class MoveRows(TwoDatabases):
    def test_every_kind_of_row_arrives_as_it_was(self):
        self.fill()
        before, beside = self.rows("a"), self.rows("a", "beside")
        for table, rows in before.items():
            self.assertTrue(rows, f"the test has no row of {table}")
        done = self.move()
        self.assertLess(done["pause_ms"], 5000)
        self.assertEqual(done["repeats"], 1)
        self.assert_all_there(before, "b")
        self.assert_nothing("a")
        # The old cell goes on judging its keys by their text.
        self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.api_key WHERE tenant = 'acme'"), "2")
        self.assertEqual(self.rows("a", "beside"), beside)
        self.assertEqual(self.state("b"), "here")
        self.assertEqual(self.sql("a", "SELECT state, moved_to, moved_url FROM postern.tenant WHERE name = 'acme'"),
                         "moved|b|https://b.test")
        # Its URLs are known at the source, and the target's partitions are there.
        self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.moved_task WHERE tenant = 'acme'"), "4")
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.task_finished_short_default"), "0")
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.task_finished_standard_default"), "0")
        self.assertEqual(self.sql("b", "SELECT nextval('postern.job_id') > (SELECT max(job_id) FROM postern.task_all)"), "t")
        for cell in "ab":
            self.assertEqual(self.sql(cell, "SELECT count(*) FROM postern.move"), "0")

    def test_what_changes_while_it_is_copied_arrives_changed(self):
        self.move_while("""
                INSERT INTO postern.task (id, state, tenant, queue, lane, url)
                  SELECT postern.new_task_id(), 'ready', 'acme', 'new', 1, 'http://receiver.test/new' FROM generate_series(1, 30);
                -- Claimed, settled, given up, changed, deleted and live again.
                INSERT INTO postern.lease (task, lease, until, deferred, tenant, queue)
                  SELECT id, gen_random_uuid(), now() + interval '1 hour', true, 'acme', 'new' FROM postern.task
                   WHERE queue = 'new' ORDER BY id LIMIT 5;
                DELETE FROM postern.lease WHERE task IN (SELECT task FROM postern.lease WHERE tenant = 'acme' AND queue = 'q' LIMIT 1);
                SELECT postern.cancel_task('acme', id, '2020-01-01', gen_random_uuid()) FROM (
                  SELECT id FROM postern.task WHERE tenant = 'acme' AND queue = 'p' LIMIT 7) t;
                UPDATE postern.task SET run_at = now() + interval '3 days', state = 'delayed', priority = 90
                 WHERE id IN (SELECT id FROM postern.task WHERE tenant = 'acme' AND queue = 'q' AND key IS NULL LIMIT 5);
                SELECT postern.delete_task('acme', id, '2020-01-01', gen_random_uuid(), NULL, '{native,taskmq}') FROM (
                  SELECT id FROM postern.task WHERE queue = 'new' ORDER BY id DESC LIMIT 4) t;
                SELECT postern.retry_task('acme', id, '2020-01-01', gen_random_uuid(), NULL, '{}', '{native}', '{}') FROM (
                  SELECT id FROM postern.task_finished WHERE tenant = 'acme' AND reason = 'unreachable' LIMIT 3) t;
                INSERT INTO postern.idempotency_key SELECT 'acme', 'late ' || n, gen_random_uuid(), '', now() + interval '1 hour'
                  FROM generate_series(1, 5) n;
                UPDATE postern.idempotency_key SET request_hash = '\\x01' WHERE tenant = 'acme' AND key LIKE 'key 1%';
                INSERT INTO postern.schedule_run (tenant, schedule, nominal_time) VALUES ('acme', 'it''s', now());
                UPDATE postern.queue SET paused = true WHERE tenant = 'acme' AND name = 'q';
                INSERT INTO postern.api_key (hash, name, role, tenant) VALUES (sha256('late'), 'late', 'read', 'acme')""")

    def test_edges_arrive_with_tasks_whose_notes_are_far_apart(self):
        # Notes are copied by kind, so many of a kind between them part the two of a task that goes from table to table.
        many = """
                INSERT INTO postern.idempotency_key SELECT 'acme', 'noise ' || n, gen_random_uuid(), '', now() + interval '1 hour'
                  FROM generate_series(1, 25000) n;"""
        with self.subTest("ends as unreachable"):
            self.move_while("""
                SELECT postern.finish(t, gen_random_uuid(), 'failed', 'unreachable', 'x') FROM postern.task t
                 WHERE tenant = 'acme' AND dependencies IS NOT NULL;""" + many)
        with self.subTest("is live again"):
            self.move("a", "b")
            self.sql("a", "DELETE FROM postern.idempotency_key WHERE key LIKE 'noise %'")
            self.move_while("""
                SELECT postern.revive(f, gen_random_uuid(), false) FROM postern.task_finished f
                 WHERE tenant = 'acme' AND reason = 'unreachable';""" + many)

    # Fills a and moves its tenant to b; `changes` are made in a when all is copied but what changes.
    def move_while(self, changes):
        if not self.sql("a", "SELECT 1 FROM postern.tenant WHERE name = 'acme'"):
            self.fill()
        blocker = subprocess.Popen([self.postgres.bin / "psql", "-XAtq", self.postgres.url(database="b")], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        # The runs are copied last: while they are held up, all else has been copied.
        self.sql("b", """
            CREATE OR REPLACE FUNCTION public.held_up() RETURNS trigger LANGUAGE plpgsql AS $$
              BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END $$;
            CREATE OR REPLACE TRIGGER held_up BEFORE INSERT ON postern.schedule_run FOR EACH ROW EXECUTE FUNCTION public.held_up()""")
        blocker.stdin.write("SELECT pg_advisory_lock(42);\n")
        blocker.stdin.flush()
        moving = self.start("--json", "tenant", "move", "acme", "--to", "b", "--cells", str(self.folder / "cells"))
        try:
            deadline = time.monotonic() + 60
            while "names" not in self.sql("b", "SELECT coalesce((SELECT place::text FROM postern.move), '')"):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            self.sql("a", changes)
            self.assertGreater(int(self.sql("a", "SELECT count(*) FROM postern.move_change")), 50)
            before = self.rows("a")
            blocker.communicate("SELECT pg_advisory_unlock(42);\n")
            out, err = moving.communicate(timeout=120)
        finally:
            blocker.kill()
            moving.kill()
        self.assertEqual(moving.returncode, 0, out + err)
        self.assert_all_there(before, "b")
        self.assert_nothing("a")

    def test_a_tenant_of_the_name_is_in_the_way_unless_it_is_unused(self):
        self.fill(5)
        # As `postern setup` leaves it: with a key, that was revoked then.
        self.sql("b", """
            INSERT INTO postern.tenant (name) VALUES ('acme');
            INSERT INTO postern.tenant_secret (tenant, secret) VALUES ('acme', 'whsec_YWJj');
            INSERT INTO postern.api_key (hash, name, role, tenant) VALUES (sha256('first'), 'first', 'admin', 'acme')""")
        command = self.start("tenant", "move", "acme", "--to", "b", "--cells", str(self.folder / "cells"))
        _, err = command.communicate(timeout=60)
        self.assertEqual(command.returncode, 1)
        self.assertIn("has a tenant acme already", err)
        self.assertEqual((self.state("a"), self.state("b")), ("here", "here"))
        self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.move"), "0")
        self.sql("b", "UPDATE postern.api_key SET revoked_at = now()")
        before = self.rows("a")
        self.move()
        self.assert_all_there(before, "b")

    def test_what_b_takes_before_all_of_its_handlers_know_is_in_the_way(self):
        self.fill(5)
        # Another transaction keeps the triggers from being made which would refuse it.
        with self.locked("b") as other:
            other.stdin.write("BEGIN; LOCK TABLE postern.queue IN ROW EXCLUSIVE MODE;\n\\echo begun\n")
            other.stdin.flush()
            self.assertEqual(other.stdout.readline(), "begun\n")
            moving = self.command()
            self.until(lambda: self.state("b") == "arriving")
            self.sql("b", "INSERT INTO postern.queue (tenant, name) VALUES ('acme', 'late')")
        _, err = moving.communicate(timeout=60)
        self.assertIn("has a tenant acme already", err)
        self.assertEqual((self.state("a"), self.state("b")), ("here", "here"))
        # One that b did not know before is there as any that was made: its webhooks are signed.
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.tenant_secret WHERE tenant = 'acme'"), "1")
        self.assertEqual(self.sql("b", MADE_NOW), "t")

    def test_minutes_that_both_have_counted_are_those_of_the_tenant(self):
        # As of a tenant without tasks in b whose setup has made its first one, long before.
        self.fill(5)
        self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('acme'); INSERT INTO postern.queue_minute (minute, tenant, queue, created,"
                      " completed, failed, cancelled, attempts, attempts_failed) SELECT date_trunc('minute', now()) - n * interval '1 minute',"
                      " 'acme', 'q', 99, 0, 0, 0, 0, 0 FROM generate_series(0, 40) n")
        before = self.rows("a")
        self.move()
        self.assert_all_there(before, "b")

    def test_a_cell_that_draws_many_numbers_is_moved_from(self):
        self.fill(5)
        busy = subprocess.Popen([self.postgres.bin / "psql", "-XAtq", self.postgres.url(database="a"), "-c",
                                 "DO $$ BEGIN FOR i IN 1 .. 100000 LOOP PERFORM nextval('postern.key_seq') FROM generate_series(1, 1000);"
                                 " COMMIT; PERFORM pg_sleep(0.01); END LOOP; END $$"])
        try:
            moved = self.move()
        finally:
            self.sql("a", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'a' AND query LIKE 'DO %'")
            busy.communicate()
        self.assertLess(moved["pauses"], 5)

    def test_counters_of_many_programs_are_few_sums(self):
        self.fill(5)
        self.sql("a", "INSERT INTO postern.counter (instance, tenant, queue, name, value) SELECT gen_random_uuid(), 'acme', 'q', 'created', 1"
                      " FROM generate_series(1, 500001)")
        self.move()
        self.assertEqual(self.sql("b", "SELECT sum(value) FROM postern.counter WHERE tenant = 'acme' AND name = 'created'"), "500101")

    def test_what_is_too_much_for_a_pause_is_said_before_anything_is_copied(self):
        self.fill(5)
        self.sql("a", "INSERT INTO postern.queue (tenant, name) SELECT 'acme', 'q' || n FROM generate_series(1, 500001) n")
        self.assert_refused("are more than can be copied in a pause: 500000 at most")
        self.assertEqual((self.state("a"), self.state("b")), ("here", ""))
        self.assertEqual(self.sql("a", "SELECT count(*) FROM postern.move"), "0")

    def test_keys_of_operators_do_not_become_operators_of_the_other_cell(self):
        self.fill(5)
        before = self.rows("a")
        key = ("INSERT INTO postern.api_key (hash, name, role, tenant, expires_at) VALUES"
               " (sha256('ops'), 'ops', 'operator', 'acme', now() + interval '1 hour')")
        self.sql("a", key)
        self.assert_refused("role operator")
        self.assertEqual((self.state("a"), self.state("b")), ("here", ""))
        self.sql("a", "DELETE FROM postern.api_key WHERE name = 'ops'")
        # One that is made on the way, too.
        self.sql("a", "CREATE FUNCTION public.make() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                      f"{key} ON CONFLICT DO NOTHING; RETURN NULL; END $$;"
                      "CREATE TRIGGER make AFTER UPDATE ON postern.tenant FOR EACH ROW WHEN (NEW.state = 'draining')"
                      " EXECUTE FUNCTION public.make()")
        self.assert_refused("role operator")
        self.assertEqual(self.state("a"), "here")
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.api_key WHERE tenant = 'acme'"), "0")
        self.sql("a", "DROP TRIGGER make ON postern.tenant")
        self.sql("a", "UPDATE postern.api_key SET expires_at = now() WHERE name = 'ops'")
        self.move()
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.api_key WHERE name = 'ops'"), "1")
        self.sql("b", "DELETE FROM postern.api_key WHERE name = 'ops'")
        self.assert_all_there(before, "b")

    def assert_refused(self, why):
        command = self.start("tenant", "move", "acme", "--to", "b", "--cells", str(self.folder / "cells"))
        _, err = command.communicate(timeout=60)
        self.assertEqual(command.returncode, 1, err)
        self.assertIn(why, err)

    def test_the_tenant_goes_on_when_rows_do_not_arrive_in_the_pause(self):
        self.fill(5)
        before = self.rows("a")
        self.sql("b", "CREATE FUNCTION public.skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
                      "CREATE TRIGGER skip BEFORE INSERT ON postern.queue FOR EACH ROW EXECUTE FUNCTION public.skip()")
        self.assert_refused("0 arrived: postern.queue")
        self.assertEqual((self.state("a"), self.state("b")), ("here", "arriving"))
        self.sql("b", "DROP FUNCTION public.skip CASCADE")
        self.move()
        self.assert_all_there(before, "b")

    def test_an_undo_leaves_the_role_that_was_given_the_tenant_meanwhile(self):
        self.fill()
        self.sql("postgres", "DROP ROLE IF EXISTS app")
        self.sql("postgres", "CREATE ROLE app")
        with self.held("b", "schedule_run"):
            self.kill_when_held("b", self.command(), lambda: self.sql("b", "INSERT INTO postern.role_tenant VALUES ('app', 'acme')"))
        self.finish(self.command("--undo"))
        self.assertEqual((self.state("a"), self.state("b")), ("here", "here"))
        self.assertEqual(self.sql("b", "SELECT count(*) FROM postern.tenant_secret WHERE tenant = 'acme'"), "1")
        self.assertEqual(self.sql("b", MADE_NOW), "t")
        self.move()
        self.assertEqual((self.state("a"), self.state("b")), ("moved", "here"))

    def test_its_error_says_what_is_next(self):
        def code(*options):
            return self.move("b", "a", *options, code=1)["error"]["code"]

        self.assertEqual(code(), "not_done")
        self.fill(5)
        self.assertEqual(code("--undo"), "not_done")
        other = subprocess.Popen([self.postgres.bin / "psql", "-XAtq", self.postgres.url(database="b")], text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            other.stdin.write("SELECT pg_advisory_lock(hashtextextended('postern.move acme', 0));\n\\echo locked\n")
            other.stdin.flush()
            while other.stdout.readline() != "locked\n":
                pass
            self.assertEqual(code(), "try_again")
        finally:
            other.kill()
            other.communicate()
        # As of a source that was restored from an older backup.
        self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('acme'); INSERT INTO postern.move (tenant, id, source, other, step)"
                      " VALUES ('acme', gen_random_uuid(), false, 'a', 'arrived')")
        self.assertEqual(code(), "look_first")
        self.assertEqual(code("--undo"), "look_first")

    def test_a_state_that_it_does_not_expect_is_no_server_that_is_away(self):
        self.fill(5)
        with self.held("b", "schedule_run"):
            moving = self.command()
            self.until(lambda: self.waits("b"))
            self.sql("b", "UPDATE postern.tenant SET state = 'here' WHERE name = 'acme'")
        out, err = moving.communicate(timeout=30)
        self.assertEqual(moving.returncode, 1, out + err)
        error = json.loads(out)["error"]
        self.assertEqual(error["code"], "look_first")
        self.assertIn("the tenant acme does not arrive in this cell", error["message"])
        self.assertEqual(self.state("a"), "here")

    def test_it_drains_for_as_long_as_handlers_trust_what_they_know(self):
        self.fill(5)
        self.sql("a", "DELETE FROM postern.lease WHERE NOT deferred")  # nothing else is waited for
        # The state is committed late, as where a standby is waited for.
        self.sql("a", """
            CREATE TABLE public.seen (state text, at timestamptz);
            CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF NEW.state = 'draining' THEN PERFORM pg_sleep(1.5); END IF;
              INSERT INTO public.seen VALUES (NEW.state, clock_timestamp()); RETURN NULL; END $$;
            CREATE TRIGGER see AFTER UPDATE ON postern.tenant FOR EACH ROW EXECUTE FUNCTION public.see()""")
        self.move()
        self.assertEqual(self.sql("a", "SELECT min(at) FILTER (WHERE state = 'fenced') - max(at) FILTER (WHERE state = 'draining')"
                                       " > interval '1 second' FROM public.seen"), "t")

    def test_it_moves_back(self):
        self.fill()
        before = self.rows("a")
        self.move()
        self.move("a", "b")
        self.assert_all_there(before, "a")
        self.assert_nothing("b")
        self.assertEqual(self.state("a"), "here")
        # Nobody has left: no trigger is left.
        self.assertEqual(self.sql("a", "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'fence%'"), "0")
        self.move()
        self.assert_all_there(before, "b")


if __name__ == "__main__":
    unittest.main()
