#!/usr/bin/python3
"""Queues at the command line, on the host's database and over HTTP."""

import unittest

from commanding import Commanding, OverHttp


class Queues:
    def queue(self, *options):
        name = f"{type(self).__name__}-{self._testMethodName}"[:64]
        self.addCleanup(self.run_postern, "queue", "delete", name, "--force", "--yes")
        return name, self.postern("queue", "add", name, *options, schema="QueueInfo")

    def test_are_made_changed_paused_and_deleted(self):
        name, made = self.queue("--max-concurrent", "3", "--rate", "50", "--max-age", "1h", "--keep-failed", "short")
        rate = {"count": 50, "period_seconds": 1}
        self.assertEqual((made["max_concurrent"], made["rate_limit"], made["max_age"]), (3, rate, 3_600_000_000_000))
        self.assertEqual(made["retention"], {"completed": "standard", "failed": "short", "cancelled": "standard"})
        self.assert_as_the_api(f"/v1/queues/{name}", made, apart=["time"])
        self.assertIn("max_age: 3600 s", self.shown("queue", "get", name))
        changed = self.postern("queue", "set", name, "--max-concurrent", "0", "--max-retries", "7", schema="QueueInfo")
        self.assertEqual((changed["max_concurrent"], changed["max_retries"], changed["rate_limit"]), (-1, 7, rate))
        self.assertIs(self.postern("queue", "pause", name, schema="QueueInfo")["paused"], True)
        self.create(queue=name)
        self.assertEqual(self.postern("queue", "stats", name, schema="QueueStats")["depth"]["total"], 1)
        self.assertIn(name, [queue["name"] for queue in self.postern("queue", "list", schema=["QueueInfo"])])
        self.assertIn("live tasks", self.refused("queue", "delete", name, code=1))
        self.assertEqual(self.postern("queue", "purge", name, "--dry-run", schema="BulkCount"),
                         {"count": 1, "dry_run": True})
        self.assertEqual(self.postern("queue", "stats", name)["depth"]["total"], 1)
        self.assertIsNone(self.postern("queue", "purge", name))
        self.assertIs(self.postern("queue", "resume", name, schema="QueueInfo")["paused"], False)
        self.assertEqual(self.postern("queue", "stats", name)["totals"]["cancelled"], 1)
        self.assertEqual(self.shown("queue", "delete", name), [f"{name}: deleted"])
        self.assertNotIn(name, [queue["name"] for queue in self.postern("queue", "list")])
        self.postern("queue", "get", name, code=1)

    def test_have_the_limits_that_are_said_and_no_other(self):
        name, made = self.queue()
        self.assertEqual((made["max_concurrent"], made["max_runtime"], made["rate_limit"]), (-1, 0, None))
        self.assertIn("max_concurrent: no limit", self.shown("queue", "get", name))
        made = self.postern("queue", "set", name, "--max-runtime", "1d")
        self.assertEqual((made["max_concurrent"], made["max_runtime"]), (-1, 86_400_000_000_000))

    def test_a_period_or_burst_changes_the_rate_that_is_there(self):
        name, _ = self.queue("--rate", "50", "--period", "1m")
        changed = self.postern("queue", "set", name, "--period", "2m")
        self.assertEqual(changed["rate_limit"], {"count": 50, "period_seconds": 120})
        changed = self.postern("queue", "set", name, "--burst", "9", "--rate", "7")
        self.assertEqual(changed["rate_limit"], {"count": 7, "period_seconds": 120, "burst": 9})
        self.assertEqual(self.postern("queue", "set", name, "--burst", "0")["rate_limit"],
                         {"count": 7, "period_seconds": 120})
        self.assertIn("--period", self.refused("queue", "set", name, "--rate", "0", "--period", "1m"))
        self.assertIsNone(self.postern("queue", "set", name, "--rate", "0")["rate_limit"])
        for option in ("--period", "--burst"):
            self.assertIn(f"{option}: ", self.refused("queue", "set", name, option, "5"))
            self.assertIn(f"{option}: ", self.refused("queue", "add", "never", option, "5"))
        self.postern("queue", "get", "never", code=1)

    def test_every_option_is_a_field(self):
        name, made = self.queue(
            "--max-concurrent", "2", "--max-entries", "9", "--discard-old", "true", "--max-age", "1h", "--max-runtime",
            "10m", "--max-tries", "4", "--max-retries", "1", "--retry-policy", "fixed", "--timeout", "20s", "--endpoint",
            "mail", "--keep-completed", "short", "--keep-failed", "short", "--keep-cancelled", "short")
        plain = self.postern("queue", "add", f"{name[:50]}-plain")
        self.addCleanup(self.postern, "queue", "delete", plain["name"])
        same = {field for field in made if made[field] == plain[field]}
        self.assertEqual(same - {"time", "created_at", "updated_at"}, {"paused", "rate_limit"})

    def test_errors_name_the_option(self):
        name, _ = self.queue()
        for arguments, said in (
                (["add", "a b"], "queue"), (["add", "aq_test"], "aq_test"),
                (["set", name, "--max-concurrent", "-4"], "--max-concurrent must be"),
                (["set", name, "--max-concurrent", "many"], "--max-concurrent"),
                (["set", name, "--max-age", "soon"], "--max-age"),
                (["set", name, "--timeout", "3h"], "--timeout"),
                (["set", name, "--keep-failed", "long"], "--keep-"),
                (["set", name, "--discard-old", "maybe"], "--discard-old"),
                (["set", name], "say what is to change"),
                (["get", "a/b"], "a/b"), (["get", ".."], "..")):
            with self.subTest(arguments):
                self.assertIn(said, self.refused("queue", *arguments))


class OnTheHost(Queues, Commanding):
    pass


class FromElsewhere(Queues, OverHttp):
    pass


if __name__ == "__main__":
    unittest.main()
