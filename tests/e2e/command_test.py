#!/usr/bin/python3
"""The operator's command: the engine paused and resumed, keys and tenants, and how it is called."""

import json
import subprocess
import tempfile
import unittest

from commanding import Commanding
from harness import BIN


class Command(Commanding):
    """What works on the database wants an owner's rights."""

    database = None  # another than the stack's

    def where(self):
        return ["--database", self.database or self.stack.postgres.url()], {}

    def test_a_paused_engine_takes_tasks_in_and_delivers_none(self):
        self.another_scheduler("second")
        self.wait_until(lambda: self.stack.postgres.psql("SELECT 1 FROM postern.instance WHERE name = 'second'"))
        before = self.create()
        self.finished(before)
        self.postern("pause", "--all")
        self.addCleanup(self.postern, "resume", "--all")
        waiting = [self.create(webhook_url=self.receiver.url("/paused")) for _ in range(20)]
        # Several ticks of both schedulers pass without a call.
        before = self.ticks()
        self.wait_until(lambda: all(now > was + 2 for was, now in zip(before, self.ticks(), strict=True)), 60,
                        "both schedulers have beaten again")
        self.assertEqual(self.receiver.at("/paused"), [])
        self.postern("resume", "--all")
        for task in waiting:
            self.assertEqual(self.finished(task)["attempt_count"], 1)

    def ticks(self):
        return [int(beat) for beat in self.stack.postgres.psql(
            "SELECT beat FROM postern.instance WHERE program = 'postern-scheduler' ORDER BY id").split()]

    def test_the_doctor_names_what_a_schedulers_session_lacks(self):
        def session():
            done = self.run_postern("--json", "doctor")
            return next(row for row in json.loads(done.stdout) if row["check"] == "session")
        self.assertEqual(session()["verdict"], "ok")
        self.database = self.stack.postgres.url() + "&options=-c%20enable_sort%3Don"
        wrong = session()
        self.assertEqual((wrong["verdict"], wrong["finding"]), ("WRONG", "enable_sort is on"))

    def test_pauses_and_keys_are_json_of_proper_types(self):
        self.assertEqual(self.postern("pause", "--all"), {"engine": "paused", "paused": True})
        for command in (["stats"], ["top"], ["queue", "list"]):
            self.assertIn("The engine is paused: nothing is delivered until `postern resume --all`.",
                          self.shown(*command))
        self.assertEqual(self.postern("resume", "--all"), {"engine": "running", "paused": False})
        key = self.postern("key", "create", "--name", "typed", "--role", "read")
        self.assertEqual((key["expires_at"], key["tenant"]), (None, "default"))
        with tempfile.TemporaryDirectory() as folder:
            told = self.postern("key", "export-nginx", "--file", f"{folder}/keys", stdin=key["key"] + "\n")
        self.assertEqual(told["keys"], 1)
        self.postern("key", "revoke", "--name", "typed")
        self.assertIn("no key named typed to revoke: `postern key list`",
                      self.refused("key", "revoke", "--name", "typed", code=1))

    def test_a_key_that_has_expired_is_not_made(self):
        self.assertIn("has passed", self.refused("key", "create", "--name", "old", "--role", "read", "--expires",
                                                 "2020-01-01T00:00:00Z"))
        self.refused("key", "create", "--name", "old", "--role", "read", "--expires", "tomorrow")
        self.assertNotIn("old", [key["name"] for key in self.postern("key", "list")])

    def test_an_unknown_tenant_is_an_error_everywhere(self):
        for command in (["task", "list"], ["queue", "list"], ["queue", "add", "q"], ["endpoint", "list"], ["stats"],
                        ["schedule", "list"], ["top"], ["policy", "list"], ["key", "list"], ["secret", "show"],
                        ["secret", "rotate"], ["key", "revoke", "--name", "x"],
                        ["key", "create", "--name", "x", "--role", "read"]):
            with self.subTest(command):
                said = self.refused(*command, "--tenant", "nosuch", code=1)
                self.assertIn("there is no tenant nosuch; `postern tenant create --name nosuch` makes it", said)
        self.postern("tenant", "create", "--name", "other")
        self.assertEqual(self.postern("queue", "add", "theirs", "--tenant", "other")["name"], "theirs")
        self.assertNotIn("theirs", [queue["name"] for queue in self.postern("queue", "list")])
        self.assertEqual(self.postern("key", "list", "--tenant", "other"), [])

    def test_a_typo_is_told_what_was_meant(self):
        for arguments, said in (
                (["taks", "list"], "there is no command taks of `postern`: did you mean task?"),
                (["task", "lits"], "there is no command lits of `postern task`: did you mean list?"),
                (["queue", "list", "--jsno"], "there is no option --jsno of `postern queue list`: did you mean --json?"),
                (["task", "list", "--stats", "x"], "did you mean --status?"),
                (["--database", "x", "quue", "list"], "did you mean queue?"),
                (["zzz"], "there is no command zzz of `postern`; --help shows them"),
                (["task"], "`postern task` needs a command: list, get, add, "),
                ([], "`postern` needs a command: "),
                (["queue", "get"], "name is required"),
                (["tenant", "move", "t", "--to", "b", "--drain", "soon"], '--drain: "soon" is not a duration'),
                (["tenant", "move", "t", "--to", "b", "--pause", "soon"], '--pause: "soon" is not a duration'),
                (["secret", "rotate", "--overlap", "soon"], '--overlap: "soon" is not a duration'),
                (["listen", "--delay", "soon"], '--delay: "soon" is not a duration')):
            with self.subTest(arguments):
                done = subprocess.run([BIN / "postern", *arguments], capture_output=True, text=True, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertIn(said, done.stderr)

    def test_exit_codes_are_listed(self):
        self.assertIn("Exit codes: 0 done; 1 not done, or not all of it; 2 ", " ".join(self.shown("--help")))

    def test_it_leaves_no_instance_behind_and_counts_all_the_same(self):
        self.postern("task", "add", "--queue", "counted", "--webhook-url", "http://a.test/", "--delay", "1h")
        self.postern("queue", "set", "counted", "--max-entries", "2")
        self.postern("task", "add", "--queue", "counted", "--webhook-url", "http://a.test/", "--delay", "1h")
        self.postern("task", "add", "--queue", "counted", "--webhook-url", "http://a.test/", "--delay", "1h", code=1)
        self.assertEqual(self.postern("queue", "stats", "counted")["totals"]["created"], 2)
        self.postern("queue", "purge", "counted")
        self.assertEqual(self.postern("queue", "stats", "counted")["totals"]["cancelled"], 2)
        self.assertEqual(self.stack.postgres.psql("SELECT count(*) FROM postern.instance WHERE name = 'postern'"), "0")

    def test_it_goes_by_the_settings_of_the_handlers(self):
        add = ["task", "add", "--queue", "unheard-of", "--webhook-url", "http://a.test/"]
        self.assertIn("There is no queue", self.refused("--auto-create-queues=false", *add, code=1))
        self.postern("--quota-endpoints", "1", "endpoint", "add", "a", "--webhook-url", "http://a.test/")
        self.assertIn("endpoints", self.refused("--quota-endpoints", "1", "endpoint", "add", "b", "--webhook-url",
                                              "http://a.test/", code=1))
        self.postern("endpoint", "delete", "a")
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x" * 600_000)
            file.flush()
            self.assertIn("larger than", self.refused(*add, "--body-file", file.name, code=1))

    def test_a_database_that_is_away_is_named(self):
        self.database = "host=/nonexistent"
        self.assertIn("cannot use the database: ", self.refused("queue", "list", code=1))
        self.assertIn("cannot connect to the database: ", self.refused("key", "list", code=1))

    def test_a_database_that_was_never_made_leads_to_setup(self):
        self.database = self.stack.postgres.url(database="never_made")
        self.assertRegex(self.refused("key", "list", code=1), "\"never_made\" does not exist; `postern setup` makes")


if __name__ == "__main__":
    unittest.main()
