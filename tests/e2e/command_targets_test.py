#!/usr/bin/python3
"""Endpoints and schedules at the command line, on the host's database and over HTTP."""

import unittest

from commanding import Commanding, OverHttp


class Targets:
    def endpoint(self, *options, name="mail", **more):
        self.addCleanup(self.run_postern, "endpoint", "delete", name)
        return self.postern("endpoint", "add", name, "--webhook-url", self.receiver.url(f"/{name}"), *options,
                            schema="Endpoint", **more)

    def test_endpoints_are_made_changed_rotated_and_deleted(self):
        self.endpoint("--max-in-flight", "2", "--header", "X-A: b", "--timeout", "20s", "--method", "PUT")
        made = self.postern("endpoint", "get", "mail", schema="Endpoint")
        self.assertEqual((made["max_in_flight"], made["headers"], made["timeout_seconds"], made["method"]),
                         (2, {"X-A": "b"}, 20, "PUT"))
        self.assert_as_the_api("/v1/endpoints/mail", made, apart=["health"])
        self.create(endpoint="mail", webhook_url=None)
        self.receiver.wait_for(lambda requests: any(r.path == "/mail" for r in requests))
        changed = self.postern("endpoint", "set", "mail", "--max-in-flight", "0", "--drop-headers", schema="Endpoint")
        self.assertFalse({"max_in_flight", "headers"} & set(changed))
        self.assertIs(self.postern("endpoint", "pause", "mail", schema="Endpoint")["paused"], True)
        self.assertIs(self.postern("endpoint", "resume", "mail", schema="Endpoint")["paused"], False)
        self.assertTrue(self.postern("endpoint", "rotate", "mail")["secret"].startswith("whsec_"))
        self.refused("endpoint", "rotate", "mail", code=1)
        self.postern("endpoint", "rotate", "mail", "--force")
        self.assertIs(self.postern("endpoint", "set", "mail", "--drop-secret")["own_secret"], False)
        self.assertEqual([one["name"] for one in self.postern("endpoint", "list", schema=["Endpoint"])], ["mail"])
        self.assertEqual(self.shown("endpoint", "delete", "mail"), ["mail: deleted"])
        self.postern("endpoint", "get", "mail", code=1)

    def test_the_catch_all_is_a_star(self):
        self.endpoint(name="*")
        self.assertEqual(self.postern("endpoint", "get", "*", schema="Endpoint")["name"], "")
        self.assertEqual(self.shown("endpoint", "list")[1].split()[0], "*")

    def test_a_period_or_burst_changes_the_rate_that_is_there(self):
        self.endpoint("--rate", "5", "--period", "1m", name="paced")
        changed = self.postern("endpoint", "set", "paced", "--burst", "2", "--period", "2m")
        self.assertEqual(changed["rate_limit"], {"count": 5, "period_seconds": 120, "burst": 2})
        self.assertNotIn("rate_limit", self.postern("endpoint", "set", "paced", "--rate", "0"))
        self.assertIn("--period: ", self.refused("endpoint", "set", "paced", "--period", "1m"))

    def test_endpoints_are_tested_and_recovered(self):
        name = f"broken-{type(self).__name__}"  # what fails when this one is gone is not counted by the other class
        self.receiver.on(f"/{name}", 500)
        self.endpoint(name=name)
        *_, last = self.shown("endpoint", "test", name, "--watch", code=1)
        self.assertIn("failed", last)
        self.receiver.on(f"/{name}", 200)
        self.assertEqual(self.postern("endpoint", "recover", name, "--since", "1h", schema="CountResponse"),
                         {"count": 1})
        task = self.postern("endpoint", "test", name, "--payload", '{"mine": 1}', "--queue", "tests", schema="Task")
        self.assertEqual((task["queue"], task["payload"]), ("tests", {"mine": 1}))
        self.assertIn("--since", self.refused("endpoint", "recover", name, "--since", "never"))

    def schedule(self, name, *options, code=0):
        self.addCleanup(self.run_postern, "schedule", "delete", name)
        return self.postern("schedule", "add", name, *options, schema="Schedule", code=code)

    def test_schedules_are_made_changed_triggered_and_deleted(self):
        self.schedule("soon", "--every", "1s", "--queue", "cron", "--webhook-url", self.receiver.url("/cron"))
        self.receiver.wait_for(lambda requests: sum(r.path == "/cron" for r in requests) >= 2, 20)
        self.assertIs(self.postern("schedule", "pause", "soon", schema="Schedule")["paused"], True)
        self.assert_as_the_api("/v1/schedules/soon", self.postern("schedule", "get", "soon", schema="Schedule"))
        runs = self.postern("schedule", "runs", "soon", "--count", "150", schema=["ScheduleRun"])
        self.assertGreaterEqual(len([run for run in runs if "task_id" in run]), 2)
        self.assertEqual(self.shown("schedule", "runs", "soon")[0].split(), ["time", "fired", "task"])
        changed = self.postern("schedule", "set", "soon", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin",
                               "--overlap", "skip", schema="Schedule")
        self.assertEqual((changed["schedule"], changed["timezone"], changed["overlap"], changed["paused"]),
                         ("30 2 * * *", "Europe/Berlin", "skip", True))
        self.assertIn("task_id", self.postern("schedule", "trigger", "soon", schema="ScheduleRun"))
        self.assertEqual(len(self.postern("schedule", "next", "soon", "--count", "3", schema="NextTimes")["next"]), 3)
        self.assertIs(self.postern("schedule", "resume", "soon", schema="Schedule")["paused"], False)
        listed = self.postern("schedule", "list", "--queue", "cron", schema=["Schedule"])
        self.assertEqual([one["name"] for one in listed], ["soon"])
        self.assertEqual(self.shown("schedule", "delete", "soon"), ["soon: deleted"])

    def test_a_schedule_has_every_field(self):
        made = self.schedule(
            "whole", "--cron", "0 8 * * 1-5", "--timezone", "Europe/Berlin", "--queue", "cron", "--webhook-url",
            "http://a.test/", "--method", "PUT", "--header", "X-A: b", "--body", "text", "--content-type", "text/plain",
            "--priority", "7", "--max-retries", "2", "--retry-policy", "fixed", "--timeout", "10s", "--tag", "t",
            "--ordering-key", "k", "--on-complete", "http://a.test/c", "--on-failure", "http://a.test/f",
            "--deadline-offset", "1d", "--misfire", "all", "--misfire-window", "2h", "--misfire-limit", "4", "--overlap",
            "skip", "--starts-at", "1h", "--ends-at", "2090-01-01T00:00:00Z", "--jitter", "1m", "--paused")
        self.assertEqual(
            {name: made[name] for name in ("priority", "max_retries", "misfire", "misfire_window_seconds",
                                           "misfire_limit", "overlap", "jitter_seconds", "paused", "deadline", "key")},
            {"priority": 7, "max_retries": 2, "misfire": "all", "misfire_window_seconds": 7200, "misfire_limit": 4,
             "overlap": "skip", "jitter_seconds": 60, "paused": True, "deadline": 86_400_000_000_000, "key": "k"})

    def test_a_schedule_without_a_target_that_is_there_is_refused(self):
        self.assertIn("--webhook-url", self.refused("schedule", "add", "none", "--every", "1h", "--queue", "no-such"))
        self.assertIn("--endpoint", self.refused("schedule", "add", "none", "--every", "1h", "--queue", "q",
                                                 "--endpoint", "nosuch", code=1))
        self.assertIn("minute", self.refused("schedule", "add", "none", "--cron", "61 * * * *", "--queue", "q",
                                             "--webhook-url", "http://a.test/"))
        self.postern("schedule", "get", "none", code=1)

    def test_an_expression_needs_no_schedule(self):
        times = self.postern("schedule", "next", "--cron", "0 8 * * *", "--timezone", "Europe/Berlin", "--count", "3",
                             schema="NextTimes")
        self.assertEqual(len(times["next"]), 3)
        self.assertIn("Atlantis", self.refused("schedule", "next", "--cron", "0 8 * * *", "--timezone",
                                               "Europe/Atlantis"))
        self.refused("schedule", "next")
        self.refused("schedule", "next", "soon", "--timezone", "UTC")

    def test_the_server_tells_of_itself(self):
        self.postern("stats", schema="Stats")
        self.assertEqual(self.postern("info", schema="Info")["features"]["batch"], True)
        policies = self.postern("policy", "list", schema=["RetryPolicy"])
        self.assertIn("exponential", [policy["name"] for policy in policies])
        self.assertTrue(any(line.startswith("fixed") and "1 s" in line for line in self.shown("policy", "list")))
        self.create(queue="topped")
        self.postern("top", schema="Stats")
        self.wait_until(lambda: any(line.startswith("topped") for line in self.shown("top")), 30, "it is counted")


class OnTheHost(Targets, Commanding):
    pass


class FromElsewhere(Targets, OverHttp):
    pass


if __name__ == "__main__":
    unittest.main()
