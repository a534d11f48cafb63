#!/usr/bin/python3
"""Who writes while a tenant leaves: nobody's row is left behind, whatever its snapshot."""

import json
import subprocess
import threading
import time
import unittest

from two_databases import TwoDatabases

INSERT = ("INSERT INTO postern.task (id, state, tenant, queue, url) VALUES"
          " (postern.new_task_id(), 'ready', '{}', 'q', 'http://receiver.test/late')")


class Fence(TwoDatabases):
    def setUp(self):
        super().setUp()
        self.fill(20)
        self.sql("a", "CREATE ROLE app LOGIN IN ROLE postern_enqueue; INSERT INTO postern.role_tenant VALUES ('app', 'acme')"
                 if self.sql("a", "SELECT count(*) FROM pg_roles WHERE rolname = 'app'") == "0"
                 else "INSERT INTO postern.role_tenant VALUES ('app', 'acme')")

    def session(self, cell="a", user="postgres"):
        """A psql that is told what to do statement by statement."""
        session = subprocess.Popen([self.postgres.bin / "psql", "-XAtq", "-v", "VERBOSITY=sqlstate",
                                    self.postgres.url(user, cell)], text=True, bufsize=1, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(session.stdout.close)
        self.addCleanup(session.wait)
        self.addCleanup(session.stdin.close)
        return session

    def tell(self, session, statement):
        """What it answers."""
        session.stdin.write(f"{statement};\n\\echo over\n")
        said = []
        while (line := session.stdout.readline()) and line != "over\n":
            said.append(line.rstrip("\n"))
        return "\n".join(said)

    def late(self):
        return {cell: self.sql(cell, "SELECT count(*) FROM postern.task WHERE tenant = 'acme' AND url LIKE '%/late'")
                for cell in "ab"}

    def test_snapshots_older_than_the_fence_are_refused(self):
        sessions = []
        for isolation in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
            session = self.session()
            self.tell(session, f"BEGIN ISOLATION LEVEL {isolation}")
            self.assertEqual(self.tell(session, "SELECT state FROM postern.tenant WHERE name = 'acme'"), "here")
            sessions.append(session)
        door = self.session(user="app")
        self.tell(door, "BEGIN ISOLATION LEVEL REPEATABLE READ")
        self.tell(door, "SELECT 1")
        self.move()
        for session, state, refusal in zip(sessions, ("moved", "here", "here"), ("PM002", "PM001", "PM001")):
            self.assertEqual(self.tell(session, "SELECT state FROM postern.tenant WHERE name = 'acme'"), state)
            self.assertIn(refusal, self.tell(session, INSERT.format("acme")))
        self.assertIn("PM001", self.tell(door, "SELECT postern.enqueue('q', 'http://receiver.test/late')"))
        # Others' rows are nobody's business.
        other = self.session()
        self.tell(other, "BEGIN ISOLATION LEVEL REPEATABLE READ")
        self.assertEqual(self.tell(other, INSERT.format("beside")), "")
        self.assertEqual(self.tell(other, "COMMIT"), "")
        self.assertEqual(self.late(), {"a": "0", "b": "0"})

    def test_who_left_long_ago_is_refused_though_no_trigger_names_them(self):
        self.sql("a", "INSERT INTO postern.tenant (name, state, moved_to, moved_url, moved_at) SELECT 'left' || n, 'moved', 'b',"
                      " 'https://b.test', now() - interval '1 day' FROM generate_series(1, 10000) n")
        old = {}
        for isolation, refusal in (("READ COMMITTED", "PM002"), ("REPEATABLE READ", "PM001"), ("SERIALIZABLE", "PM001")):
            session = self.session()
            self.tell(session, f"BEGIN ISOLATION LEVEL {isolation}; SELECT count(*) FROM postern.tenant")
            old[session] = refusal
        door = self.session(user="app")
        self.tell(door, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        self.move()
        # The next move makes the triggers anew.
        self.postern("tenant", "move", "beside", "--to", "b", "--cells", str(self.folder / "cells"))
        trigger = self.sql("a", "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'postern.task'::regclass"
                                " AND tgname = 'fence_written'")
        self.assertIn("beside", trigger)
        self.assertNotIn("acme", trigger)
        self.assertLess(len(trigger), 1000)
        for session, refusal in old.items():
            self.assertIn(refusal, self.tell(session, INSERT.format("acme")))
        self.assertIn("PM001", self.tell(door, "SELECT postern.enqueue('q', 'http://receiver.test/late')"))
        self.assertIn("PM002", self.tell(self.session(user="app"), "SELECT postern.enqueue('q', 'http://receiver.test/late')"))
        new = self.session()
        for tenant in ("acme", "beside", "left1", "left10000"):
            self.assertIn("PM002", self.tell(new, INSERT.format(tenant)), tenant)
        for statement in ("INSERT INTO postern.queue (tenant, name) VALUES ('acme', 'q')",
                          "INSERT INTO postern.endpoint (tenant, name, url) VALUES ('acme', 'e', 'http://receiver.test/')",
                          "INSERT INTO postern.schedule (tenant, name, spec, queue, task) VALUES ('acme', 's', '0 8 * * *', 'q', '{}')",
                          "INSERT INTO postern.idempotency_key VALUES ('acme', 'k', gen_random_uuid(), '', now())",
                          "INSERT INTO postern.tenant_secret (tenant, secret) VALUES ('acme', 'whsec_YWJj')",
                          "INSERT INTO postern.api_key (hash, name, role, tenant) VALUES (sha256('x'), 'x', 'read', 'acme')",
                          "UPDATE postern.api_key SET revoked_at = now() WHERE tenant = 'acme'",
                          "DELETE FROM postern.api_key WHERE tenant = 'acme'"):
            self.assertIn("PM002", self.tell(new, statement), statement)
        self.assertEqual(self.tell(new, "UPDATE postern.api_key SET last_used_at = now() WHERE tenant = 'acme'"), "")
        self.assertEqual(self.tell(new, INSERT.format("default")), "")
        self.assertEqual(self.late(), {"a": "0", "b": "0"})
        # One that comes back writes again, though others have left.
        self.move("a", "b")
        self.assertEqual(self.tell(new, INSERT.format("acme")), "")

    def test_who_has_written_is_waited_for_and_the_pause_is_ended_in_between(self):
        door = self.session(user="app")
        self.tell(door, "BEGIN ISOLATION LEVEL REPEATABLE READ")
        moving = None
        try:
            # Noted, since the triggers are there once the copy has begun, which stands still meanwhile.
            with self.held("b", "schedule_run"):
                moving = self.start("--json", "tenant", "move", "acme", "--to", "b", "--cells", str(self.folder / "cells"),
                                    "--pause", "1s")
                self.until(lambda: self.waits("b"))
                self.assertNotIn("ERROR", self.tell(door, "SELECT postern.enqueue('q', 'http://receiver.test/late')"))
            deadline = time.monotonic() + 60
            seen = set()
            while "fenced" not in seen and time.monotonic() < deadline:
                seen.add(self.state("a"))
            # Meanwhile others write, and those of the tenant are refused at once.
            self.sql("a", INSERT.format("beside"))
            while self.state("a") == "fenced" and time.monotonic() < deadline:
                time.sleep(0.02)
            self.assertEqual(self.tell(door, "COMMIT"), "")
            out, err = moving.communicate(timeout=120)
        finally:
            if moving and moving.poll() is None:
                moving.kill()
        # It has given up with who was in the way; nothing is lost, and the next call moves it.
        if moving.returncode:
            self.assertIn("do not end", err)
            self.assertEqual(self.state("a"), "here")
            self.move()
        self.assertEqual(self.late(), {"a": "0", "b": "1"})

    # --- at the cell that it comes into --------------------------------------------------------------

    def assert_in_the_way(self, moving):
        """Of what b has nothing is deleted, and the tenant stays."""
        out, err = moving.communicate(timeout=200)
        self.assertEqual(moving.returncode, 1, out + err)
        self.assertIn("has a tenant acme already", err)
        self.assertEqual((self.state("a"), self.state("b")), ("here", "here"))
        self.assertEqual(self.triggers("b"), "0")

    def triggers(self, cell):
        return self.sql(cell, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'fence\\_%'")

    def kill_when_arriving(self):
        """A move ends before it has looked whether b is empty: somebody has written there, and is waited for."""
        moving = self.command()
        self.until(lambda: self.state("b") == "arriving")
        moving.kill()
        moving.communicate()
        self.wait_for_sessions()

    def test_a_task_that_an_application_commits_late_in_b_is_in_the_way(self):
        self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('acme'); INSERT INTO postern.role_tenant VALUES ('app', 'acme')")
        door = self.session("b", "app")
        self.tell(door, "BEGIN")
        self.assertNotIn("ERROR", self.tell(door, "SELECT postern.enqueue('q', 'http://receiver.test/late')"))
        moving = self.command()
        self.until(lambda: self.state("b") == "arriving")
        # It is waited for, and others in b are not held up for long by that.
        over = time.monotonic() + 4
        while time.monotonic() < over:
            begun = time.monotonic()
            self.sql("b", INSERT.format("default"))
            self.assertLess(time.monotonic() - begun, 2)
        self.assertIsNone(moving.poll())
        self.assertEqual(self.tell(door, "COMMIT"), "")
        self.assert_in_the_way(moving)
        self.assertEqual(self.late(), {"a": "0", "b": "1"})

    def test_a_task_that_an_application_commits_late_in_b_is_nobodys_copy(self):
        away = self.folder / "away"
        away.mkdir(exist_ok=True)
        (away / "b.conf").write_text("database = host=/nowhere dbname=b user=postern_operator\ncell = b\npublic_url = https://b.test\n")
        for cells in (self.folder / "cells", away):
            with self.subTest(cells=cells):
                Fence.setUp(self)
                self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('acme'); INSERT INTO postern.role_tenant VALUES ('app', 'acme')")
                door = self.session("b", "app")
                self.tell(door, "BEGIN")
                self.assertNotIn("ERROR", self.tell(door, "SELECT postern.enqueue('q', 'http://receiver.test/late')"))
                self.kill_when_arriving()
                self.assertEqual(self.tell(door, "COMMIT"), "")
                self.finish(self.start("tenant", "move", "acme", "--to", "b", "--cells", str(cells), "--undo"))
                if cells == away:  # the next move is another one
                    self.assert_in_the_way(self.command())
                self.assertEqual((self.state("a"), self.state("b"), self.late()), ("here", "here", {"a": "0", "b": "1"}))
                self.assertEqual(self.triggers("b"), "0")
                for cell in "ab":
                    self.assertEqual(self.sql(cell, "SELECT count(*) FROM postern.move"), "0")

    def test_an_undo_before_anything_was_copied_leaves_b_as_it_was(self):
        other = self.session("b")
        self.tell(other, "BEGIN")
        self.tell(other, INSERT.format("default"))
        self.kill_when_arriving()
        self.assertEqual(self.tell(other, "COMMIT"), "")
        self.finish(self.command("--undo"))
        self.assertEqual((self.state("a"), self.state("b"), self.triggers("b")), ("here", "", "0"))
        self.move()

    def test_a_transaction_in_b_that_does_not_end_is_named_by_its_table(self):
        self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('acme')")
        other = self.session("b")
        self.tell(other, "BEGIN")
        self.tell(other, INSERT.format("default"))
        moving = self.command()
        out, err = moving.communicate(timeout=200)
        self.assertEqual(moving.returncode, 1, out + err)
        self.assertIn("postern.task is locked", err)
        self.assertEqual(self.state("a"), "here")
        self.assertEqual(self.tell(other, "COMMIT"), "")
        self.move()
        self.assertEqual((self.state("a"), self.state("b")), ("moved", "here"))

    def test_nothing_of_it_is_written_in_b_but_by_the_move(self):
        for known in (True, False):
            with self.subTest(known=known):
                Fence.setUp(self)
                if known:
                    self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('acme')")
                old = {}
                for isolation in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
                    old[isolation] = self.session("b")
                    self.tell(old[isolation], f"BEGIN ISOLATION LEVEL {isolation}; SELECT count(*) FROM postern.tenant")
                with self.held("b", "schedule_run"):
                    moving = self.command()
                    self.until(lambda: self.waits("b"))
                    for isolation, session in old.items():
                        self.assertIn("PM001", self.tell(session, INSERT.format("acme")), isolation)
                    new = self.session("b")
                    for statement in ("INSERT INTO postern.queue (tenant, name) VALUES ('acme', 'late')",
                                      "INSERT INTO postern.endpoint (tenant, name, url) VALUES ('acme', 'e', 'http://receiver.test/')",
                                      "INSERT INTO postern.schedule (tenant, name, spec, queue, task)"
                                      " VALUES ('acme', 's', '0 8 * * *', 'q', '{}')",
                                      "INSERT INTO postern.idempotency_key VALUES ('acme', 'k', gen_random_uuid(), '', now())"):
                        self.assertIn("PM001", self.tell(new, statement), statement)
                    self.assertEqual(self.tell(new, INSERT.format("default")), "")
                    # The move itself may have to make a day of the history, which changes the transaction's word.
                    self.assertEqual(self.tell(new, "BEGIN; SET LOCAL postern.move = 'copies';"
                                                    " SELECT postern.make_partition('short', current_date + 300)"), "t")
                    self.assertEqual(self.tell(new, INSERT.format("acme")), "")
                    self.assertEqual(self.tell(new, "ROLLBACK"), "")
                self.finish(moving)
                self.assertEqual(self.late(), {"a": "0", "b": "0"})
                self.assertEqual(self.triggers("b"), "0")
                self.assertEqual(self.tell(new, INSERT.format("acme")), "")

    def test_who_changes_what_he_has_looked_for_is_in_no_deadlock(self):
        with self.held("b", "schedule_run"):
            self.kill_when_held("b", self.command())
        looks = "SELECT count(*) FROM (SELECT FROM postern.task WHERE tenant = 'beside' FOR UPDATE) t"
        changes = "UPDATE postern.task SET priority = priority WHERE tenant = 'beside'"
        said, over = set(), threading.Event()

        def change():
            session = self.session()
            self.tell(session, "SET deadlock_timeout = '1ms'")
            while not over.is_set():
                for statement in ("BEGIN", looks, "SELECT pg_sleep(0.005)", changes, "COMMIT"):
                    said.add(self.tell(session, statement))

        changing = threading.Thread(target=change)
        changing.start()
        try:
            self.finish(self.command("--undo"))
        finally:
            over.set()
            changing.join()
        self.assertNotIn("40P01", " ".join(said))

    def test_after_an_undo_it_is_written_in_b_again(self):
        self.sql("b", "INSERT INTO postern.tenant (name) VALUES ('acme')")
        with self.held("b", "schedule_run"):
            self.kill_when_held("b", self.command())
        self.finish(self.command("--undo"))
        self.assertEqual(self.triggers("b"), "0")
        self.sql("b", INSERT.format("acme"))

    # --- in the pause --------------------------------------------------------------------------------

    def test_the_pause_ends_in_time_though_a_round_of_changes_does_not(self):
        self.sql("a", """
            CREATE TABLE public.seen (state text, at timestamptz);
            CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              INSERT INTO public.seen VALUES (NEW.state, clock_timestamp()); RETURN NULL; END $$;
            CREATE TRIGGER see AFTER UPDATE ON postern.tenant FOR EACH ROW EXECUTE FUNCTION public.see()""")
        # 400 rows take 8 s, in one transaction.
        self.sql("b", """
            CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
            CREATE TRIGGER slow BEFORE INSERT ON postern.task FOR EACH ROW WHEN (NEW.url LIKE '%/late')
              EXECUTE FUNCTION public.slow()""")
        with self.held("b", "schedule_run"):
            moving = self.command(pause="2s")
            self.until(lambda: self.waits("b"))
            writer = self.session()
            self.tell(writer, "BEGIN")
            self.assertEqual(self.tell(writer, INSERT.format("acme") + ";" + f"{INSERT.format('acme')};" * 399), "")
        self.until(lambda: self.state("a") == "fenced" or moving.poll() is not None)
        self.assertEqual(self.tell(writer, "COMMIT"), "")
        out, err = moving.communicate(timeout=200)
        self.assertEqual(moving.returncode, 0, out + err)
        self.assertGreater(json.loads(out)["pauses"], 1)
        longest = self.sql("a", "SELECT extract(epoch FROM max(till - at)) FROM (SELECT state, at, lead(at) OVER (ORDER BY at) AS till"
                                " FROM public.seen) s WHERE state = 'fenced'")
        self.assertLess(float(longest), 4)
        self.assertEqual(self.late(), {"a": "0", "b": "400"})


if __name__ == "__main__":
    unittest.main()
