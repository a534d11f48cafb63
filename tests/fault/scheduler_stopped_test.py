#!/usr/bin/python3
"""A scheduler that is stopped gracefully, which repeats no webhook, or frozen while another one takes over."""

import os
import pathlib
import signal
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Answer, StackTest  # noqa: E402


class SchedulerStopped(StackTest):
    settings = {"POSTERN_RESCUE_AFTER": "3s", "POSTERN_NAME": "first"}

    def setUp(self):
        super().setUp()
        self.scheduler = self.stack.programs["scheduler"]
        self.addCleanup(self.stack.start)

    def held(self, path, count):
        """Creates `count` tasks whose webhooks are under way, and returns them and the event that ends these."""
        event = threading.Event()
        self.addCleanup(event.set)
        self.receiver.on(path, Answer(until=event))
        tasks = [self.create(webhook_url=self.receiver.url(path)) for _ in range(count)]
        self.receiver.wait_for(lambda requests: len(self.receiver.at(path)) == count)
        return tasks, event

    def test_what_comes_while_none_runs_is_delivered_later(self):
        self.scheduler.stop(signal.SIGTERM)
        tasks = [self.create(), self.create(delay=1)]
        self.assertEqual([self.get(task)["status"] for task in tasks], ["pending", "pending"])
        self.stack.start()
        self.assertEqual([self.finished(task)["attempt_count"] for task in tasks], [1, 1])
        self.assertEqual(len(self.receiver.requests), 2)

    def test_sigterm_lets_webhooks_finish_and_repeats_none(self):
        tasks, event = self.held("/slow", 100)
        pid = self.scheduler.pid
        os.kill(pid, signal.SIGTERM)
        log = self.stack.log / "scheduler.log"
        self.wait_until(lambda: f"in_flight={len(tasks)}" in log.read_text())
        later = self.create()  # nothing new is begun
        event.set()
        self.wait_until(lambda: not self.scheduler.pid)
        self.assertEqual([self.get(task)["status"] for task in tasks], ["completed"] * len(tasks))
        self.assertEqual(self.get(later)["status"], "pending")
        self.stack.start()
        self.assertEqual(self.finished(later)["attempt_count"], 1)
        self.assertEqual(len(self.receiver.requests), len(tasks) + 1)

    def test_a_second_sigterm_ends_it_at_once(self):
        tasks, event = self.held("/slow", 20)
        pid = self.scheduler.pid
        os.kill(pid, signal.SIGTERM)
        log = self.stack.log / "scheduler.log"
        self.wait_until(lambda: f"in_flight={len(tasks)}" in log.read_text())
        os.kill(pid, signal.SIGTERM)
        self.wait_until(lambda: not self.scheduler.pid)
        self.assertEqual(self.scheduler.status, 1)
        # As after a kill: what was under way is repeated once its scheduler is known to be dead.
        event.set()
        self.stack.start()
        self.assertEqual([self.finished(task)["attempt_count"] for task in tasks], [2] * len(tasks))
        self.assertEqual(len(self.receiver.requests), 2 * len(tasks))

    def test_a_frozen_scheduler_overwrites_nothing(self):
        to_first, to_second = threading.Event(), threading.Event()
        self.addCleanup(to_first.set)
        self.addCleanup(to_second.set)
        # The frozen scheduler will receive this answer, which would end the task.
        self.receiver.on("/hook", Answer(410, b"to the first", until=to_first),
                         Answer(200, b"to the second", until=to_second))
        task = self.create()
        self.receiver.wait_for(lambda requests: requests)
        frozen = self.scheduler.pid
        os.kill(frozen, signal.SIGSTOP)
        try:
            second = self.another_scheduler("second")
            self.receiver.wait_for(lambda requests: len(requests) == 2, 30)
            to_first.set()
        finally:
            os.kill(frozen, signal.SIGCONT)
        log = self.stack.log / "scheduler.log"
        self.wait_until(lambda: "lease lost" in log.read_text())
        now = self.get(task)
        self.assertEqual((now["status"], now["attempt_count"]), ("active", 2))
        to_second.set()
        over = self.finished(task)
        self.assertEqual((over["status"], over["result"]["body"]), ("completed", "to the second"))
        self.assertEqual([(each["number"], each["status"]) for each in over["attempts"]],
                         [(1, "lost"), (2, "success")])
        # The first one still works, now alone.
        second.stop(signal.SIGTERM)
        self.assertEqual(self.finished(self.create(webhook_url=self.receiver.url("/next")))["status"],
                         "completed")
        self.assertEqual((self.scheduler.pid, len(self.receiver.requests)), (frozen, 3))


if __name__ == "__main__":
    unittest.main()
