#!/usr/bin/python3
"""Limits of a queue hold over two schedulers at every instant, as seen by the receiver, and are used up to the
limit."""

import concurrent.futures
import threading
import time
import unittest

from harness import Answer, Receiver, StackTest


class TimedReceiver(Receiver):
    """A receiver that records when each request began and when its answer was ready."""

    def __init__(self):
        self.spans = []
        super().__init__()

    def _wait(self, answer):
        begin = time.monotonic()
        done = super()._wait(answer)
        self.spans.append((begin, time.monotonic()))
        return done

    def starts(self):
        return sorted(request.time for request in list(self.requests))


def most_at_once(spans):
    """The largest number of spans that overlap. Spans that only touch do not overlap."""
    changes = sorted([(end, -1) for _, end in spans] + [(begin, 1) for begin, _ in spans])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def most_within(starts, seconds):
    """The largest number of starts in any half-open window of that length."""
    most = first = 0
    for last, start in enumerate(starts):
        while start - starts[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


class LimitsTest(StackTest):
    def setUp(self):
        super().setUp()
        self.receiver.close()
        self.receiver = self.another_receiver()
        self.queue = self.id().rsplit(".", 1)[1][5:69]  # the test's name
        self.another_scheduler(f"second-{self.queue}")
        before = self.sql("SELECT clock_timestamp()")
        self.wait_until(lambda: self.sql(
            "SELECT count(*) FROM postern.instance WHERE program = 'postern-scheduler' "
            f"AND beat_at > '{before}'") == "2", what="both schedulers beat")

    def sql(self, statement):
        return self.stack.postgres.psql(statement).strip()

    def another_receiver(self):
        receiver = TimedReceiver()
        self.addCleanup(receiver.close)
        return receiver

    def limit(self, **settings):
        """Creates the queue with only these limits."""
        reply = self.api.request("PUT", f"/v1/queues/{self.queue}", settings)
        self.assertEqual(reply.status, 201, reply.body)

    def change(self, **settings):
        reply = self.api.request("PATCH", f"/v1/queues/{self.queue}", settings)
        self.assertEqual(reply.status, 200, reply.body)

    def pause(self, verb="pause"):
        self.assertEqual(self.api.post(f"/v1/queues/{self.queue}/{verb}").status, 200)

    def fill(self, count, *receivers):
        """Creates `count` tasks for each receiver, all ready at once, with both schedulers running."""
        self.pause()
        for receiver in receivers or [self.receiver]:
            self.sql(f"SELECT count(postern.enqueue('{self.queue}', '{receiver.url('/hook')}', '{{}}'::jsonb)) "
                     f"FROM generate_series(1, {count})")
        total = count * (len(receivers) or 1)
        self.wait_until(lambda: self.sql("SELECT count(*) FROM postern.task WHERE lane IS NOT NULL AND state = "
                                         f"'ready' AND queue = '{self.queue}'") == str(total))
        self.pause("resume")

    def create(self, **fields):
        return super().create(**{"queue": self.queue, **fields})

    def live(self, state="active"):
        return int(self.sql(f"SELECT count(*) FROM postern.task_live WHERE queue = '{self.queue}' AND state = '{state}'"))

    def wait_for_all(self, count, *receivers, timeout=60):
        self.wait_until(lambda: sum(len(r.spans) for r in receivers or [self.receiver]) == count, timeout,
                        f"{count} webhooks")

    def claims(self, count):
        """When all of the attempts were claimed. Limits of a rate are for these times: a busy machine delays some requests on
        their way."""
        claimed = ("SELECT extract(epoch FROM (each ->> 'executed_at')::timestamptz) FROM postern.task_finished, "
                   f"json_array_elements(attempts) AS each WHERE queue = '{self.queue}' ORDER BY 1")
        self.wait_until(lambda: len(self.sql(claimed).split()) == count, what="all are over")
        return [float(time) for time in self.sql(claimed).split()]

    def assert_shared(self, one, other):
        """Checks that each lane had at least a sixth of the first half of the work. (The expectation is a half; by
        chance it is below a sixth once in 100,000 runs.)"""
        halfway = sorted(one.starts() + other.starts())[: len(one.spans)]
        share = len(set(halfway) & set(one.starts())) / len(halfway)
        self.assertGreater(share, 1 / 6)
        self.assertLess(share, 5 / 6)


class Concurrency(LimitsTest):
    def test_never_more_than_max_concurrent(self):
        self.limit(max_concurrent=3)
        self.receiver.on("/hook", Answer(delay=0.05))
        self.fill(90)
        self.wait_for_all(90)
        self.assertEqual(most_at_once(self.receiver.spans), 3)

    def test_two_lanes_share_it_and_neither_starves(self):
        other = self.another_receiver()
        for receiver in (self.receiver, other):
            receiver.on("/hook", Answer(delay=0.03))
        self.limit(max_concurrent=2)
        self.fill(40, self.receiver, other)
        self.wait_for_all(80, self.receiver, other)
        self.assertEqual(most_at_once(self.receiver.spans + other.spans), 2)
        self.assert_shared(self.receiver, other)


class Rate(LimitsTest):
    def test_the_rate_is_reached_and_never_exceeded_in_any_period(self):
        self.limit(rate_limit={"count": 50, "period_seconds": 1})
        self.fill(400)
        self.wait_for_all(400)
        claims = self.claims(400)
        self.assertLessEqual(most_within(claims, 0.95), 50)
        self.assertGreaterEqual(399 / (claims[-1] - claims[0]), 0.6 * 50)

    def test_a_burst_is_delivered_at_once_in_addition(self):
        self.limit(rate_limit={"count": 10, "period_seconds": 1, "burst": 30})
        self.fill(50)
        self.wait_for_all(50)
        claims = self.claims(50)
        self.assertLess(claims[29] - claims[0], 2.5)  # 3 s without the burst
        self.assertLessEqual(most_within(claims, 0.95), 40)
        self.assertLessEqual(most_within(claims[30:], 0.95), 10)

    def test_is_shared_by_two_lanes_and_neither_starves(self):
        other = self.another_receiver()
        self.limit(rate_limit={"count": 50, "period_seconds": 1})
        self.fill(120, self.receiver, other)
        self.wait_for_all(240, self.receiver, other)
        self.assertLessEqual(most_within(self.claims(240), 0.95), 50)
        self.assert_shared(self.receiver, other)


class Pause(LimitsTest):
    def test_stops_claims_at_once_and_resume_starts_them(self):
        self.limit(max_concurrent=5)
        self.receiver.on("/hook", Answer(delay=0.05))
        self.fill(200)
        self.wait_until(lambda: len(self.receiver.spans) >= 20)
        self.pause()
        paused_at = time.monotonic()
        self.wait_until(lambda: self.live() == 0)
        came = len(self.receiver.requests)
        self.assertLessEqual(sum(start > paused_at for start in self.receiver.starts()), 5)
        # The schedulers are running, and leave the paused queue alone.
        for number in range(3):
            elsewhere = self.create(queue=f"{self.queue[:60]}-{number}", delay=1)
            self.assertEqual(self.finished(elsewhere)["status"], "completed")
        self.assertEqual(len(self.receiver.requests), came + 3)
        self.assertEqual(self.live("ready"), 200 - came)
        self.pause("resume")
        self.wait_for_all(203)


class Entries(LimitsTest):
    def test_parallel_creates_never_exceed_the_bound(self):
        self.limit(max_entries=25)

        def create_ten(_):
            api = self.client("admin")
            return [api.post("/v1/tasks", {"queue": self.queue, "webhook_url": self.receiver.url(), "delay": 3600})
                    for _ in range(10)]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = [reply for ten in pool.map(create_ten, range(8)) for reply in ten]
        self.assertEqual(sorted(reply.status for reply in replies), [201] * 25 + [409] * 55)
        refused = next(reply for reply in replies if reply.status == 409).json["error"]
        self.assertEqual((refused["code"], refused["details"]["reason"]), ("conflict", "queue_full"))
        self.assertEqual(self.live("delayed"), 25)

    def test_discard_old_drops_the_oldest(self):
        self.limit(max_entries=5, discard_old=True)
        tasks = [self.get(task) for task in [self.create(delay=3600) for _ in range(8)]]
        self.assertEqual([(task["status"], task.get("reason")) for task in tasks],
                         [("cancelled", "discarded")] * 3 + [("pending", None)] * 5)

    def test_a_place_is_free_again_when_a_task_is_over(self):
        self.limit(max_entries=1)
        for _ in range(3):
            self.finished(self.create())

    def test_a_task_older_than_max_age_fails(self):
        self.limit(max_age="1s")
        self.pause()
        later = self.create(delay=3600)
        task = self.finished(self.create())
        self.assertEqual((task["status"], task["reason"]), ("failed", "max_age"))
        self.assertEqual(self.get(later)["status"], "pending")


class Attempts(LimitsTest):
    def test_no_more_than_max_tries(self):
        self.limit(max_tries=2)
        self.receiver.on("/hook", 500)
        task = self.finished(self.create(max_retries=5, retry_policy="fixed"))
        self.assertEqual((task["status"], task["reason"], task["attempt_count"]), ("failed", "exhausted", 2))

    def test_no_attempt_takes_longer_than_max_runtime(self):
        self.limit(max_runtime="1s")
        self.receiver.on("/hook", Answer(until=threading.Event()))
        task = self.finished(self.create(max_retries=0, timeout=30))
        self.assertEqual(task["status"], "failed")
        self.assertGreaterEqual(task["attempts"][0]["duration_ms"], 1000)
        self.assertLess(task["attempts"][0]["duration_ms"], 10_000)


class Changes(LimitsTest):
    def test_changes_apply_to_waiting_tasks(self):
        self.limit(rate_limit={"count": 1, "period_seconds": 3600})
        self.fill(20)
        self.wait_for_all(1)
        self.change(rate_limit=None, max_concurrent=1)
        self.wait_for_all(20)  # an hour each, by what it was
        self.assertEqual(most_at_once(self.receiver.spans), 1)


if __name__ == "__main__":
    unittest.main()
