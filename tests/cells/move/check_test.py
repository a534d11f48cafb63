#!/usr/bin/python3
"""`postern cell list` and `postern cell check`: what they say of cells that do not fit together."""

import json
import unittest

from two_databases import TwoDatabases

OK, WARNING, CRITICAL, UNKNOWN = range(4)


class Check(TwoDatabases):
    """On a host of the cell a, whose folder of cells has b alone."""

    def setUp(self):
        super().setUp()
        for each in (self.folder / "cells").iterdir():
            each.unlink()
        self.write("a")
        self.write("b")

    def config(self, cell):
        return self.folder / "own.conf" if cell == "a" else super().config(cell)

    def check(self, code, folder=None, *options):
        """The findings, as (verdict, cell, sentence). What it complains of is in `self.complaints`."""
        command = self.start("--json", *options, "cell", "check", "--cells", str(folder or self.folder / "cells"))
        out, self.complaints = command.communicate(timeout=60)
        self.assertEqual(command.returncode, code, out + self.complaints)
        return [(each["verdict"], each["cell"], each["finding"]) for each in json.loads(out)]

    def write(self, label, **settings):
        lines = {"database": self.postgres.url("postern_operator", label), "cell": label, "public_url": f"https://{label}.test", **settings}
        self.config(label).write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))

    def assert_found(self, verdict, cell, *words):
        found = self.check({"WARNING": WARNING, "CRITICAL": CRITICAL, "UNKNOWN": UNKNOWN}[verdict])
        self.assertEqual([(each[0], each[1]) for each in found], [(verdict, cell)], found)
        for word in words:
            self.assertIn(word, found[0][2])

    def test_cells_that_fit(self):
        self.sql("a", "INSERT INTO postern.tenant (name) VALUES ('acme')")
        self.assertEqual(self.check(OK), [])
        listed = self.postern("cell", "list", "--cells", str(self.folder / "cells"))
        self.assertEqual([(each["label"], each["public_url"], each["tenants_here"], each["tenants_moved"], each["reachable"])
                          for each in listed], [("a", "https://a.test", "2", "0", "yes"), ("b", "https://b.test", "1", "0", "yes")])

    def test_after_a_move_they_fit_still(self):
        self.fill(10)
        self.move()
        self.assertEqual(self.check(OK), [])

    def test_a_tenant_in_two_cells(self):
        for cell in "ab":
            self.sql(cell, "INSERT INTO postern.tenant (name) VALUES ('acme')")
        self.assert_found("CRITICAL", "b", "acme", "in a, too")

    def test_a_monitor_is_told_the_worst_in_the_first_line(self):
        def first_line():
            command = self.start("cell", "check", "--cells", str(self.folder / "cells"))
            return command.communicate(timeout=60)[0].splitlines()[0]

        self.assertEqual(first_line(), "OK - the cells fit together")
        self.sql("b", "DELETE FROM postern.instance")  # a warning, which comes first
        self.assertEqual(first_line(), "WARNING - b: no scheduler of it is up")
        for cell in "ab":
            self.sql(cell, "INSERT INTO postern.tenant (name) VALUES ('acme')")
        self.assertRegex(first_line(), r"^CRITICAL - b: the tenant acme is in a, too.* \(2 findings\)$")

    def test_a_tenant_that_is_nowhere(self):
        self.sql("a", "INSERT INTO postern.tenant (name, state, moved_to, moved_url, moved_at)"
                      " VALUES ('acme', 'moved', 'b', 'https://b.test', now())")
        self.assert_found("CRITICAL", "a", "acme", "in no cell")

    def test_a_tenant_that_has_moved_to_an_unknown_cell(self):
        self.sql("a", "INSERT INTO postern.tenant (name, state, moved_to, moved_url, moved_at)"
                      " VALUES ('acme', 'moved', 'z', 'https://z.test', now())")
        self.assert_found("CRITICAL", "a", "acme", "moved to z")

    def test_what_holds_of_many_tenants_is_said_once(self):
        self.sql("a", "INSERT INTO postern.tenant (name, state, moved_to, moved_url, moved_at)"
                      " SELECT 't' || n, 'moved', 'z', 'https://z.test', now() FROM generate_series(1, 10000) n")
        self.assert_found("CRITICAL", "a", "t1 (and 9999 more) has moved to z")

    def test_a_public_url_that_has_changed_since(self):
        self.fill(10)
        self.move()
        self.write("b", public_url="https://new.test")
        self.assert_found("WARNING", "a", "acme", "https://b.test", "https://new.test")

    def test_a_move_that_was_left(self):
        """At once, in whichever state it has left the tenant; and not while a command is at it."""
        for cell in "ab":
            self.sql(cell, "INSERT INTO postern.tenant (name) VALUES ('acme')")
        self.sql("a", "INSERT INTO postern.move (tenant, id, source, other, step)"
                      " VALUES ('acme', gen_random_uuid(), true, 'b', 'copying')")
        self.sql("b", "UPDATE postern.tenant SET state = 'arriving' WHERE name = 'acme'")
        for state, harm in (("here", ""), ("draining", "not delivered"), ("fenced", "writes are refused")):
            with self.subTest(state):
                self.sql("a", f"UPDATE postern.tenant SET state = '{state}' WHERE name = 'acme'")
                self.assert_found("CRITICAL", "a", "acme to the cell b", "copying", "--undo", harm)
                with self.locked("a", "hashtextextended('postern.move acme', 0)"):
                    self.assertEqual(self.check(OK), [])
                self.until(lambda: self.sql("a", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0")

    def test_a_move_that_is_about_to_end(self):
        """Both cells have the tenant between its arrival and the last word to the one that it leaves."""
        move = ("INSERT INTO postern.move (tenant, id, source, other, step) VALUES"
                " ('acme', '00000000-0000-0000-0000-000000000001', {}, '{}', '{}')")
        for cell, other in ("ab", "ba"):
            with self.subTest(source=cell):
                TwoDatabases.setUp(self)
                (self.folder / "cells" / "a.conf").unlink()
                self.sql(cell, "INSERT INTO postern.tenant (name, state) VALUES ('acme', 'fenced');" + move.format("true", other, "copying"))
                self.sql(other, "INSERT INTO postern.tenant (name) VALUES ('acme');" + move.format("false", cell, "arrived"))
                lock = "hashtextextended('postern.move acme', 0)"
                with self.locked("a", lock), self.locked("b", lock):
                    self.assertEqual(self.check(OK), [])
                    self.assertIn(f"{cell}: the tenant acme has arrived in {other}", self.complaints)
                    # By another move, or none, it is in both.
                    self.sql(cell, "UPDATE postern.move SET other = 'z'")
                    self.assert_found("CRITICAL", "b", "acme", "in a, too")
                    self.sql(cell, "UPDATE postern.move SET other = '" + other + "'")
                # Nobody works at it.
                for each in "ab":
                    self.until(lambda each=each: self.sql(each, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0")
                self.assertIn(("CRITICAL", "b", "the tenant acme is in a, too"), self.check(CRITICAL))

    def test_a_move_that_was_left_is_said_once(self):
        self.sql("a", "INSERT INTO postern.tenant (name) VALUES ('acme')")
        self.sql("b", "INSERT INTO postern.tenant (name, state) VALUES ('acme', 'arriving')")
        self.sql("b", "INSERT INTO postern.move (tenant, id, source, other, step)"
                      " VALUES ('acme', gen_random_uuid(), false, 'a', 'copying')")
        self.assert_found("CRITICAL", "b", "acme from the cell a", "copying")
        self.sql("a", "INSERT INTO postern.move (tenant, id, source, other, step)"
                      " VALUES ('acme', gen_random_uuid(), true, 'b', 'copying')")
        self.assert_found("CRITICAL", "a", "acme to the cell b")

    def test_programs(self):
        self.beat("b", "c", "postern-fcgi", "web")
        self.assert_found("CRITICAL", "b", "postern-fcgi (web) of the cell c", "cell = b")
        self.sql("b", "UPDATE postern.instance SET beat_at = now() - interval '2 minutes'")
        self.assert_found("WARNING", "b", "no scheduler")
        self.beat("b", "")
        self.assert_found("CRITICAL", "b", "postern-scheduler (one) without a label")
        self.sql("b", "UPDATE postern.instance SET started_at = now() - interval '1 hour'")
        self.beat("b")  # the one of this name was started again
        self.assertEqual(self.check(OK), [])

    def test_settings_that_do_not_fit(self):
        self.write("b", cell="c")
        self.assert_found("CRITICAL", "b", "cell = c")
        self.write("b", public_url="https://a.test")
        self.assert_found("CRITICAL", "b", "public_url of a")
        self.write("b", public_url="")
        self.assert_found("CRITICAL", "b", "no public_url")
        self.write("b", database=self.postgres.url("postern_operator", "a"))
        self.assert_found("CRITICAL", "b", "database of a")
        self.write("b", database="host=/nowhere dbname=b")
        self.assert_found("CRITICAL", "b", "does not answer")

    COMMON = {"jwt_audience": "https://tasks.test", "jwt_require_exp": "false", "operator_sources": "key,token"}

    def test_settings_that_are_to_be_the_same(self):
        self.write("a", **self.COMMON)
        self.write("b", **self.COMMON | {"operator_sources": "token,key"})
        self.assertEqual(self.check(OK), [])
        for name in self.COMMON:
            self.assertNotIn(name, self.complaints)
        for name, value in (("jwt_audience", "https://b.test"), ("jwt_require_exp", "true"), ("operator_sources", "key")):
            self.write("b", **self.COMMON | {name: value})
            self.assert_found("WARNING", "b", name, "differs from that of a")

    def test_settings_that_the_copy_does_not_say_are_not_compared(self):
        self.write("a", **self.COMMON)
        self.assertEqual(self.check(OK), [])
        for name in (*self.COMMON, "jwt_secret_file", "jwt_keys_file"):
            self.assertRegex(self.complaints, f"b: not compared with a, .*{name}")

    def test_its_own_settings_are_not_those_of_a_copy(self):
        (self.folder / "cells" / "a.conf").write_text("cell = c\n")
        self.assertEqual(self.check(OK), [])

    def test_its_own_settings_are_wrong(self):
        self.write("a", jwt_require_exp="perhaps")
        self.assert_found("CRITICAL", "a", "jwt_require_exp", "true or false")

    def test_secrets_of_tokens(self):
        secrets = [self.folder / f"secret-{cell}" for cell in "ab"]
        for cell, secret in zip("ab", secrets):
            secret.write_text(cell * 40)
            self.write(cell, jwt_secret_file=secret)
        self.assert_found("WARNING", "b", "jwt_secret_file", "differs")
        secrets[1].unlink()
        self.assert_found("WARNING", "b", "jwt_secret_file", "cannot be read")
        secrets[1].mkdir()
        self.assert_found("WARNING", "b", "jwt_secret_file", "cannot be read")
        secrets[1].rmdir()
        secrets[1].write_text("a" * 40)
        self.assertEqual(self.check(OK), [])

    def test_no_folder(self):
        for folder in (self.folder / "none", self.folder / "own.conf"):
            found = self.check(UNKNOWN, folder)
            self.assertEqual([each[0] for each in found], ["UNKNOWN"], found)
            self.assertIn(f"the folder of cells {folder} cannot be read", found[0][2])
            listed = self.postern("cell", "list", "--cells", str(folder))
            self.assertEqual([each["label"] for each in listed], ["a"])
            told = self.start("tenant", "move", "acme", "--to", "b", "--cells", str(folder)).communicate(timeout=60)
            self.assertIn(f"the folder of cells {folder} cannot be read", told[1])

    def test_nothing_to_compare(self):
        self.config("b").unlink()
        self.assert_found("UNKNOWN", None, "no file of another cell")
        found = self.check(UNKNOWN, None, "--cell", "")
        self.assertEqual([each[0] for each in found], ["UNKNOWN"])

    def test_nothing_to_compare_hides_what_asks_for_attention_and_not_what_is_wrong(self):
        self.config("b").unlink()
        self.sql("a", "DELETE FROM postern.instance")
        self.assertEqual([each[0] for each in self.check(UNKNOWN)], ["UNKNOWN", "WARNING"])
        self.beat("a")
        self.sql("a", "INSERT INTO postern.tenant (name) VALUES ('acme'); INSERT INTO postern.move (tenant, id, source, other, step)"
                      " VALUES ('acme', gen_random_uuid(), true, 'b', 'copying')")
        found = self.check(CRITICAL)
        self.assertEqual([(each[0], each[1]) for each in found], [("UNKNOWN", None), ("CRITICAL", "a")], found)
        self.assertIn("acme to the cell b", found[1][2])


if __name__ == "__main__":
    unittest.main()
