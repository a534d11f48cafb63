#!/usr/bin/python3
"""Hosts whose clocks differ from PostgreSQL's by an hour: what happens at its time all the same, and what carries the wrong one,
which docs/guarantees.md names."""

import contextlib
import datetime
import email.utils
import pathlib
import signal
import sys
import time
import unittest
import uuid
from urllib.parse import quote

import network
from cell import FAKETIME, Cell, clock_ahead, receiver

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import uuid_of, wait_until  # noqa: E402
from jwt_test import token  # noqa: E402
from receiver import Answer  # noqa: E402

HOUR = 3600


def at(seconds):
    """RFC 3339 of so many seconds from now, by the clock of PostgreSQL, which is the test's."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def seconds_of(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def time_in(task_id):
    """Seconds since 1970 of the time in an id."""
    return (uuid.UUID(uuid_of(task_id)).int >> 80) / 1000


class Clocks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(Cell({"POSTERN_RESCUE_AFTER": "3s"}))
        ahead, behind = clock_ahead("+1h"), clock_ahead("-1h")
        cls.stacks = {"right": cls.cell.stack("right"), "ahead": cls.cell.stack("ahead", ahead),
                      "behind": cls.cell.stack("behind", behind)}

    def setUp(self):
        self.receiver = receiver()
        self.addCleanup(self.receiver.close)
        self.apis = {name: self.cell.api(stack) for name, stack in self.stacks.items()}
        for api in self.apis.values():
            self.addCleanup(api.close)
        self.cell.psql("DELETE FROM postern.schedule")

    @contextlib.contextmanager
    def only_scheduler(self, name):
        """For the duration of the block only this one runs."""
        others = [stack for other, stack in self.stacks.items() if other != name]
        for stack in others:
            stack.programs["scheduler"].stop(signal.SIGTERM)
        try:
            yield
        finally:
            for stack in others:
                stack._start_scheduler()

    def create(self, clock, path, **fields):
        """Creates a task at the handlers with this clock; returns the reply."""
        return self.apis[clock].post("/v1/tasks", {"queue": clock, "webhook_url": self.receiver.url(path), **fields})

    def arrival(self, path, count=1, timeout=60):
        """The receiver's monotonic time of the last of `count` webhooks."""
        self.receiver.wait_for(lambda _: len(self.receiver.at(path)) >= count, timeout)
        return self.receiver.at(path)[-1].time

    def test_the_programs_clocks_differ(self):
        """What the rest of this file rests on."""
        told = {name: seconds_of(api.get("/healthz").json["time"]) - time.time() for name, api in self.apis.items()}
        self.assertEqual({name: round(off / HOUR) for name, off in told.items()}, {"right": 0, "ahead": 1, "behind": -1})

    def test_delays_and_times_are_those_of_the_database(self):
        # By another clock they would come at once, or an hour later.
        begun = time.monotonic()
        for clock in self.apis:
            self.assertEqual(self.create(clock, f"/delay-{clock}", delay=2).status, 201)
            self.assertEqual(self.create(clock, f"/at-{clock}", run_at=at(2)).status, 201)
        for clock in self.apis:
            for path in (f"/delay-{clock}", f"/at-{clock}"):
                self.assertGreaterEqual(self.arrival(path) - begun, 1.9, path)

    def test_what_schedulers_do(self):
        """Retries wait as long whoever delivers; the date of a Retry-After, and signatures, are by the scheduler's clock."""
        half_past = email.utils.formatdate(time.time() + HOUR / 2, usegmt=True)
        for clock, off in (("ahead", HOUR), ("behind", -HOUR)):
            with self.subTest(clock), self.only_scheduler(clock):
                retry, date = f"/retry-{clock}", f"/date-{clock}"
                self.receiver.on(retry, Answer(503, headers={"Retry-After": "2"}), 200)
                self.receiver.on(date, Answer(503, headers={"Retry-After": half_past}), 200)
                self.assertEqual(self.create("right", retry).status, 201)
                dated = self.create("right", date, queue=f"dated-{clock}").json
                self.arrival(retry, 2)
                first, second = self.receiver.at(retry)
                self.assertGreaterEqual(second.time - first.time, 1.9)
                for request in (first, second):
                    self.assertLess(abs(int(request.headers["webhook-timestamp"]) - time.time() - off), 60)
                again = wait_until(lambda: (now := self.apis["right"].get(f"/v1/tasks/{dated['id']}").json)["attempts"] and now)
                if clock == "ahead":  # for this one the date has passed
                    self.arrival(date, 2)
                else:
                    self.assertGreater(seconds_of(again["next_attempt_at"]) - time.time(), HOUR)

    def test_deadlines_are_those_of_the_database(self):
        for clock in self.apis:
            with self.subTest(clock):
                past = self.create(clock, "/", deadline=at(-HOUR / 2))
                self.assertEqual(past.json["error"]["details"]["reason"], "deadline_past")
                due = self.create(clock, "/due", deadline=at(HOUR / 2))
                self.assertEqual(due.status, 201, due.body)
                self.assertEqual(self.finished(due.json["id"])["status"], "completed")

    def finished(self, task, clock="right"):
        over = ("completed", "failed", "cancelled")
        return wait_until(lambda: (now := self.apis[clock].get(f"/v1/tasks/{task}").json)["status"] in over and now)

    def test_an_occurrence_fires_once_and_at_the_databases_time(self):
        begun = time.time()
        reply = self.apis["ahead"].post("/v1/schedules", {
            "name": "s", "queue": "right", "webhook_url": self.receiver.url("/s"), "interval_seconds": 1})
        self.assertEqual(reply.status, 201, reply.body)
        self.arrival("/s", 4)
        runs = self.apis["behind"].get("/v1/schedules/s/runs?limit=100").json["runs"]
        times = [run["nominal_time"] for run in runs]
        self.assertEqual(len(times), len(set(times)))
        for run in runs:
            self.assertLess(abs(seconds_of(run["nominal_time"]) - time.time()), 60)
        self.apis["right"].delete("/v1/schedules/s")
        self.assertLessEqual(len(self.receiver.at("/s")), time.time() - begun + 2)

    def test_tokens_are_judged_by_the_handlers_clock(self):
        def status(clock, **claims):
            text = token(self.stacks["right"].state["jwt_secret"], role="admin", **claims)
            return self.apis[clock].get("/v1/tasks?limit=1", headers={"Authorization": f"Bearer {text}"}).status

        now = int(time.time())
        for clock, expired, valid, not_yet in (("right", 401, 200, 401), ("ahead", 401, 401, 200), ("behind", 200, 200, 401)):
            with self.subTest(clock):
                self.assertEqual(status(clock, exp=now - 1800), expired)
                self.assertEqual(status(clock, exp=now + 1800), valid)
                self.assertEqual(status(clock, exp=now + 3 * HOUR, nbf=now + 1800), not_yet)

    def test_keys_end_by_the_databases_clock(self):
        name = f"key-{time.monotonic_ns()}"
        made = self.apis["behind"].post("/v1/keys", {"name": name, "role": "read", "expires_at": at(5)})
        self.assertEqual(made.status, 201, made.body)
        key = {"Authorization": f"Bearer {made.json['key']}"}
        self.assertEqual(self.apis["ahead"].get("/v1/tasks?limit=1", headers=key).status, 200)
        # nginx keeps a verdict for 5 s.
        wait_until(lambda: self.apis["behind"].get("/v1/tasks?limit=1", headers=key).status == 401)

    def test_ids_and_created_at_are_of_the_database(self):
        tasks = [self.create(clock, "/hook").json for clock in ("ahead", "right", "behind", "ahead", "behind")]
        created = [seconds_of(task["created_at"]) for task in tasks]
        self.assertEqual(created, sorted(created))
        self.assertLess(abs(created[0] - time.time()), 60)
        for task in tasks:
            self.assertLess(abs(time_in(task["id"]) - seconds_of(task["created_at"])), 60)
            # By id each is found from everywhere, also when it is over.
            for clock in self.apis:
                self.assertEqual(self.finished(task["id"], clock)["status"], "completed")

    def test_schedulers_make_ids_of_the_database(self):
        for clock in ("ahead", "behind"):
            with self.only_scheduler(clock):
                made = self.create("right", "/hook", on_complete_url=self.receiver.url(f"/called-{clock}"))
                self.assertEqual(made.status, 201, made.body)
                self.arrival(f"/called-{clock}")
                callback = self.receiver.at(f"/called-{clock}")[0].headers["webhook-id"]
                self.assertLess(abs(time_in(callback) - time.time()), 60)

    def test_days_ahead_finished_tasks_are_found(self):
        """They are looked for from a day before the time in the id on."""
        stack = self.stacks["ahead"]
        stack.settings["FAKETIME"] = "+100h"
        self.restart_handlers(stack)
        task = self.create("ahead", "/days").json["id"]
        self.arrival("/days")
        wait_until(lambda: self.cell.psql(f"SELECT 1 FROM postern.task_finished WHERE id = '{uuid_of(task)}'"))
        self.assertEqual(self.apis["right"].get(f"/v1/tasks/{task}").status, 200)
        stack.settings["FAKETIME"] = "+1h"
        self.restart_handlers(stack)

    def restart_handlers(self, stack):
        stack.programs["socket"].stop(signal.SIGTERM)
        stack._start_handlers()
        wait_until(stack._api_is_ready)

    def test_an_idempotency_key_is_one_over_all_hosts(self):
        key = {"Idempotency-Key": f"once-{time.monotonic_ns()}"}
        body = {"queue": "right", "webhook_url": self.receiver.url("/once")}
        replies = [self.apis[clock].post("/v1/tasks", body, headers=key) for clock in ("ahead", "behind", "right", "ahead")]
        self.assertEqual([reply.status for reply in replies][0], 201)
        self.assertEqual(len({reply.json["id"] for reply in replies}), 1)

    def test_none_takes_another_for_dead(self):
        """Heartbeats are compared, not read: no clock is."""
        lost = self.cell.psql("SELECT count(*) FROM postern.task_finished WHERE attempts::text LIKE '%lost%'")
        self.assertEqual(lost, "0")

    def test_lists_by_creation_find_all(self):
        tasks = {clock: self.create(clock, "/listed", delay=HOUR).json["id"] for clock in self.apis}
        for query in ("", f"&created_since={quote(at(-HOUR / 2))}", f"&created_until={quote(at(HOUR / 2))}"):
            found = {task["id"] for task in self.apis["right"].get(f"/v1/tasks?limit=100&status=pending{query}").json["tasks"]}
            self.assertLessEqual(set(tasks.values()), found, query)


if __name__ == "__main__":
    network.main(FAKETIME)
