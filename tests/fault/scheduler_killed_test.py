#!/usr/bin/python3
"""kill -9 of the scheduler with 500 webhooks in flight: all tasks complete, only those in flight are repeated."""

import collections
import concurrent.futures
import pathlib
import signal
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Answer, Api, StackTest, uuid_of  # noqa: E402

IN_FLIGHT = 500


class SchedulerKilled(StackTest):
    settings = {"POSTERN_SLOTS": str(IN_FLIGHT), "POSTERN_RESCUE_AFTER": "5s"}

    def create_many(self, count, path):
        """Creates `count` tasks and returns their ids."""
        url = self.receiver.url(path)

        def some(number):
            api = Api(self.stack.url, self.stack.state["admin_key"])
            made = [api.post("/v1/tasks", {"queue": "q", "webhook_url": url, "payload": {"n": number}, "timeout": 300})
                    for _ in range(count // 10)]
            api.close()
            self.assertEqual({reply.status for reply in made}, {201})
            return [reply.json["id"] for reply in made]

        with concurrent.futures.ThreadPoolExecutor(5) as clients:
            return {task for part in clients.map(some, range(10)) for task in part}

    def tasks(self):
        """(state, attempts) of each task by id, from the tables."""
        return {task: (state, int(attempts)) for task, state, attempts in (
            line.split("|") for line in self.stack.postgres.psql(
                "SELECT id, state, attempt FROM postern.task_all").splitlines())}

    def receipts(self):
        return collections.Counter(request.json["task_id"] for request in list(self.receiver.requests))

    def test_500_in_flight(self):
        # Some tasks are over, 500 are under way, and as many wait for a slot.
        over = self.create_many(100, "/quick")
        self.wait_until(lambda: {state for state, _ in self.tasks().values()} == {"completed"}, 30)
        answered, never = threading.Event(), threading.Event()
        self.addCleanup(answered.set)
        self.receiver.on("/slow", *[Answer(until=answered)] * (IN_FLIGHT // 2),
                         *[Answer(until=never)] * (IN_FLIGHT // 2), Answer())
        created = self.create_many(2 * IN_FLIGHT, "/slow")
        self.receiver.wait_for(lambda requests: len(requests) == len(over) + IN_FLIGHT, 120)

        # Half of them are answered at the moment of the crash: their results may be stored or not.
        answered.set()
        self.stack.programs["scheduler"].stop(signal.SIGKILL)
        in_flight = {task for task, (state, _) in self.tasks().items() if state == "active"}
        self.assertGreaterEqual(len(in_flight), IN_FLIGHT // 2)
        self.stack.start()

        everybody = over | created
        self.wait_until(lambda: {state for state, _ in self.tasks().values()} == {"completed"}, 120,
                        "every task is completed")
        tasks, receipts = self.tasks(), self.receipts()
        self.assertEqual(set(tasks), {uuid_of(task) for task in everybody})  # no task lost, none added
        self.assertEqual(set(receipts), everybody)
        repeated = {task for task, count in receipts.items() if count > 1}
        self.assertLessEqual({uuid_of(task) for task in repeated}, in_flight)
        self.assertGreaterEqual(len(repeated), IN_FLIGHT // 2)  # those that were never answered
        for task, count in receipts.items():
            self.assertLessEqual(count, tasks[uuid_of(task)][1], task)
            self.assertLessEqual(count, 2, task)
        lost = [each["status"] for each in self.get({"id": min(repeated)})["attempts"]]
        self.assertEqual(lost, ["lost", "success"])


if __name__ == "__main__":
    unittest.main()
