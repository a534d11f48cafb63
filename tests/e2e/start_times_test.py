#!/usr/bin/python3
"""When a webhook starts: never before its time, soon after it, and the higher priority first."""

import datetime
import statistics
import threading
import time
import unittest

from harness import Answer, StackTest


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()


class StartTimes(StackTest):
    def occupy(self, queue):
        """Occupies the only place of a queue; returns the event that frees it."""
        made = self.api.post("/v1/queues", {"name": queue, "max_concurrent": 1})
        self.assertEqual(made.status, 201, made.body)
        event = threading.Event()
        self.addCleanup(event.set)
        self.receiver.on("/busy", Answer(until=event))
        self.create(queue=queue, webhook_url=self.receiver.url("/busy"), priority=10)
        self.receiver.wait_for(lambda requests: requests)
        return event

    def came(self):
        return [request.json["payload"]["n"] for request in self.receiver.at("/hook")]

    def test_the_higher_priority_first_then_the_older(self):
        free = self.occupy("narrow")
        for number, priority in enumerate((1, 5, 10, 9, 5, 1, 10)):
            self.create(queue="narrow", payload={"n": number}, priority=priority)
        free.set()
        self.wait_until(lambda: len(self.came()) == 7)
        self.assertEqual(self.came(), [2, 6, 3, 1, 4, 0, 5])

    def test_a_delayed_task_starts_within_300_ms_after_its_time(self):
        monotonic = time.monotonic()
        clock = time.time() - monotonic  # not too little, however long there is between the two
        begin = time.time() + 1
        starts = [begin + 0.37 * number for number in range(6)]
        for number, start in enumerate(starts):
            self.create(payload={"n": number}, run_at=rfc3339(start))
        self.wait_until(lambda: len(self.came()) == 6)
        self.assertEqual(self.came(), [0, 1, 2, 3, 4, 5])
        late = [request.time + clock - start for request, start in zip(self.receiver.at("/hook"), starts)]
        self.assertGreaterEqual(min(late), 0)
        self.assertLess(statistics.median(late), 0.3)  # the median, because single ones may be late on a busy machine
        self.assertLess(max(late), 2)

    def test_a_delay_counts_from_the_creation(self):
        before = time.monotonic()
        self.create(payload={"n": 0}, delay=1)
        after = time.monotonic()
        self.wait_until(self.came)
        start = self.receiver.at("/hook")[0].time
        self.assertGreaterEqual(start, before + 1)
        self.assertLess(start, after + 3)

    def test_a_task_whose_deadline_passes_while_it_waits_never_starts(self):
        free = self.occupy("late")
        deadline = time.time() + 1
        late = self.create(queue="late", payload={"n": "late"}, deadline=rfc3339(deadline))
        in_time = self.create(payload={"n": "in time"}, deadline=rfc3339(deadline + 300))
        self.wait_until(lambda: time.time() > deadline)
        free.set()
        self.assertEqual(self.finished(in_time)["status"], "completed")
        task = self.finished(late)
        self.assertEqual((task["status"], task["reason"], task["attempts"]), ("failed", "deadline", []))
        self.assertEqual(self.came(), ["in time"])


if __name__ == "__main__":
    unittest.main()
