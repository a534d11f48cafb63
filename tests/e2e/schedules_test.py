#!/usr/bin/python3
"""Schedules with two schedulers: each occurrence fires once, even when one is killed; and late occurrences."""

import datetime
import signal
import unittest
import uuid

from harness import Answer, StackTest


class SchedulesTest(StackTest):
    def setUp(self):
        super().setUp()
        self.other = self.second_scheduler()

    def tearDown(self):
        self.sql("DELETE FROM postern.schedule; DELETE FROM postern.schedule_run")
        self.stack._start_scheduler()

    def second_scheduler(self):
        name = f"other-{uuid.uuid4()}"
        process = self.another_scheduler(name)
        self.wait_until(lambda: self.sql(f"SELECT 1 FROM postern.instance WHERE name = '{name}'"))
        return process

    def sql(self, text):
        return self.stack.postgres.psql(text)

    def make(self, name="s", **fields):
        """Creates a schedule that calls the test's receiver; by default a yearly one."""
        timing = {} if "interval_seconds" in fields else {"schedule": "0 0 1 1 *"}
        reply = self.api.post("/v1/schedules", {"name": name, "queue": "default",
                                                "webhook_url": self.receiver.url(f"/{name}"),
                                                **timing, **fields})
        self.assertEqual(reply.status, 201, reply.body)
        return reply.json

    def schedule(self, name="s"):
        return self.api.get(f"/v1/schedules/{name}").json

    def runs(self, name="s", query="?limit=100"):
        return self.api.get(f"/v1/schedules/{name}/runs{query}").json["runs"]

    def skipped(self, name="s"):
        return [run.get("skipped", "fired") for run in reversed(self.runs(name))]

    def stop_schedulers(self):
        self.other.stop(signal.SIGTERM, timeout=40)
        self.stack.programs["scheduler"].stop(signal.SIGTERM, timeout=40)

    def start_schedulers(self):
        self.stack._start_scheduler()
        self.other = self.second_scheduler()

    def make_many(self, count):
        """Inserts `count` schedules by SQL, with the task of the one that `make` made."""
        self.make("many", payload={"a": 1}, paused=True)
        self.sql(f"""INSERT INTO postern.schedule (tenant, name, spec, queue, task, next_at)
                     SELECT 'default', 's' || i, '0 0 1 1 *', queue, task, NULL
                       FROM postern.schedule, generate_series(1, {count}) i WHERE name = 'many'""")

    def counts(self):
        """The numbers of tasks made, distinct runs, and runs that made a task."""
        return tuple(int(n) for n in self.sql(
            "SELECT (SELECT count(*) FROM postern.task_all WHERE queue = 'default'), count(*), count(task)"
            " FROM postern.schedule_run").strip().split("|"))

    def clean(self):
        self.sql("TRUNCATE postern.task; TRUNCATE postern.task_finished; DELETE FROM postern.schedule_run")

    def assert_each_once(self, expected, webhooks):
        self.wait_until(lambda: len(self.receiver.requests) >= webhooks, 60, f"{webhooks} webhooks")
        self.assertEqual(self.counts(), expected)
        self.assertEqual(len({r.headers["webhook-id"] for r in self.receiver.requests}), expected[2])


class Herds(SchedulesTest):
    """Many occurrences at one time."""

    def test_a_thousand_due_at_one_second_fire_once_each_and_so_does_the_next_occurrence(self):
        self.clean()
        self.make_many(1000)
        begin = int(self.sql("SELECT ceil(extract(epoch FROM now()))::bigint + 2"))
        # Every hour, from one second in the future; the next hour is simulated by SQL.
        self.sql(f"""UPDATE postern.schedule SET spec = '@every 1h', created_at = to_timestamp({begin - 3600}),
                       next_at = to_timestamp({begin}) WHERE name <> 'many'""")
        self.assert_each_once((1000, 1000, 1000), 1000)
        self.assertEqual(self.sql("SELECT count(*) FROM postern.schedule_run WHERE nominal_time <>"
                                  f" to_timestamp({begin}) OR fired_at < nominal_time").strip(), "0")
        self.assertEqual(self.sql(f"SELECT count(*) FROM postern.schedule WHERE name <> 'many' AND"
                                  f" next_at <> to_timestamp({begin + 3600})").strip(), "0")
        # SQL moves the next occurrence, as if the hour had passed.
        self.sql(f"""UPDATE postern.schedule SET created_at = created_at - interval '1 hour' + interval '7 s',
                       next_at = next_at - interval '1 hour' + interval '7 s' WHERE name <> 'many'""")
        self.assert_each_once((2000, 2000, 2000), 2000)

    def test_killing_a_scheduler_loses_and_repeats_no_occurrence(self):
        self.clean()
        self.make_many(3000)
        self.sql("UPDATE postern.schedule SET spec = '@every 1h', created_at = date_trunc('second', now())"
                 " - interval '1 hour', next_at = date_trunc('second', now()) WHERE name <> 'many'")
        for runs in (0, 1000):
            self.wait_until(lambda: self.counts()[1] > runs, 60)
            self.other.stop(signal.SIGKILL)
            self.other = self.second_scheduler()
        self.wait_until(lambda: self.counts()[1] >= 3000, 120, "3,000 runs")
        self.assertEqual(self.counts()[1:], (3000, 3000))
        self.assertEqual(self.counts()[0], 3000)


class Occurrences(SchedulesTest):
    def test_an_interval_fires_repeatedly(self):
        self.make(queue="fired", interval_seconds=1, payload={"n": 1})
        self.wait_until(lambda: len(self.receiver.at("/s")) >= 3)
        queue = self.api.get("/v1/queues/fired").json
        self.assertEqual((queue["max_concurrent"], queue["max_runtime"]), (-1, 0))
        runs = self.runs()
        times = [datetime.datetime.fromisoformat(run["nominal_time"]).timestamp() for run in runs]
        self.assertEqual({a - b for a, b in zip(times, times[1:])}, {1})
        self.assertEqual(self.receiver.at("/s")[0].json["payload"], {"n": 1})
        self.assertIn(self.receiver.at("/s")[0].json["task_id"], [run["task_id"] for run in runs])

    def test_an_overlapping_occurrence_is_skipped(self):
        self.receiver.on("/s", Answer(delay=3))
        self.make(interval_seconds=1, overlap="skip")

        def said():  # of two that a slow machine comes to at once the older one is missed
            return [each for each in self.skipped() if each != "missed"]

        self.wait_until(lambda: said()[:1] == ["fired"] and said().count("fired") == 2)
        self.assertEqual(said()[1], "overlap")

    def late(self, **fields):
        """Makes a schedule with three late occurrences, 150, 90 and 30 minutes ago."""
        self.make(interval_seconds=3600, **fields)
        self.stop_schedulers()
        self.sql("UPDATE postern.schedule SET created_at = date_trunc('second', now()) - interval '210 minutes',"
                 " next_at = date_trunc('second', now()) - interval '150 minutes'")
        self.start_schedulers()
        self.wait_until(lambda: len(self.runs()) == 3, what="three runs")
        return self.skipped()

    def test_policy_skip_skips_all_late_occurrences(self):
        before = self.missed()
        self.assertEqual(self.late(misfire="skip"), ["missed"] * 3)
        self.assertEqual(self.missed() - before, 3)

    def test_the_last_late_occurrence_fires_by_default(self):
        self.assertEqual(self.late(), ["missed", "missed", "fired"])

    def test_the_last_late_occurrence_is_skipped_beyond_the_window(self):
        self.assertEqual(self.late(misfire_window_seconds=1200), ["missed"] * 3)

    def test_policy_all_fires_late_occurrences_up_to_the_limit(self):
        self.assertEqual(self.late(misfire="all", misfire_limit=2), ["missed", "fired", "fired"])

    def missed(self):
        return int(self.sql("SELECT coalesce(sum(value), 0) FROM postern.counter WHERE name = 'schedule_missed'"))

    def test_a_resumed_schedule_continues_from_now(self):
        self.make(interval_seconds=1)
        self.wait_until(self.runs)
        self.assertTrue(self.api.post("/v1/schedules/s/pause").json["paused"])
        count = len(self.runs())
        self.sql("UPDATE postern.schedule SET next_at = next_at - interval '1 minute'")
        # A scheduler has processed schedules in the meantime: another schedule fired.
        self.make("witness", interval_seconds=1)
        self.wait_until(lambda: len(self.runs("witness")) >= 2)
        self.assertEqual(len(self.runs()), count)
        self.assertFalse(self.api.post("/v1/schedules/s/resume").json["paused"])
        self.wait_until(lambda: len(self.runs()) > count)
        self.assertNotIn("missed", self.skipped())

    def test_a_trigger_runs_at_once_and_is_recorded(self):
        self.make(payload={"by": "hand"})
        run = self.api.post("/v1/schedules/s/trigger")
        self.assertEqual(run.status, 201)
        self.assertEqual(self.finished({"id": run.json["task_id"]})["status"], "completed")
        self.assertEqual(self.receiver.at("/s")[0].json["payload"], {"by": "hand"})
        self.assertEqual([each["task_id"] for each in self.runs()], [run.json["task_id"]])

    def test_the_next_times_follow_the_clock_changes_of_the_zone(self):
        self.make(schedule="30 2 * * *", timezone="Europe/Berlin", starts_at="2030-03-30T00:00:00Z")
        self.assertEqual(self.api.get("/v1/schedules/s/next?n=3").json["next"],
                         ["2030-03-30T01:30:00Z", "2030-03-31T01:00:00Z", "2030-04-01T00:30:00Z"])

    def test_a_changed_spec_counts_from_now(self):
        far = self.make(schedule="0 0 1 1 *")["next_at"]
        near = self.api.request("PATCH", "/v1/schedules/s", {"interval_seconds": 1}).json["next_at"]
        self.assertLess(near, far)
        self.wait_until(lambda: self.receiver.at("/s"))

    def test_an_invalid_schedule_does_not_stop_others(self):
        self.make("bad")
        self.sql("UPDATE postern.schedule SET task = 'nonsense', next_at = now()")
        self.make("good", interval_seconds=1)
        self.wait_until(lambda: self.receiver.at("/good"))
        self.assertEqual(self.sql("SELECT skipped FROM postern.schedule_run WHERE schedule = 'bad'").strip(), "invalid")

    def test_while_the_engine_is_paused_occurrences_are_recorded_and_nothing_is_made(self):
        self.sql("INSERT INTO postern.setting VALUES ('paused', 'true')")
        self.addCleanup(self.sql, "DELETE FROM postern.setting WHERE name = 'paused'")
        self.make(interval_seconds=1)
        self.wait_until(lambda: len(self.runs()) >= 2)
        self.assertEqual(set(self.skipped()), {"paused"})

    def test_frequent_changes_do_not_lose_or_repeat_occurrences(self):
        self.make(interval_seconds=1)
        count = 0
        while len(self.runs()) < 4:
            reply = self.api.request("PATCH", "/v1/schedules/s", {"payload": {"n": count}})
            self.assertEqual(reply.status, 200, reply.body)
            count += 1
        times = [run["nominal_time"] for run in self.runs()]
        self.assertEqual(len(times), len(set(times)))


if __name__ == "__main__":
    unittest.main()
