"""One receiver that is down or hangs neither spends its tasks' attempts nor holds up the others."""

import re
import socket
import threading
import unittest

from harness import Answer, Receiver, StackTest


class Pacing(StackTest):
    settings = {"POSTERN_SLOTS": "16"}

    def attempts(self, tasks):
        return sum(self.get(task)["attempt_count"] for task in tasks)

    def test_a_receiver_that_is_down_costs_few_attempts_and_its_return_is_noticed(self):
        closed = socket.socket()
        self.addCleanup(closed.close)
        closed.bind(("127.0.0.1", 0))  # and does not listen
        port = closed.getsockname()[1]
        fields = {"queue": "down", "webhook_url": f"http://127.0.0.1:{port}/hook",
                  "retry_policy": {"intervals": [0.1]}, "max_retries": 20}
        tasks = [self.create(**fields) for _ in range(40)]
        self.wait_until(lambda: self.breaker_states() & {"open", "half_open"}, 20, "the breaker opens")
        named = f'postern_lane_breaker_state{{tenant="default",queue="down",target="127.0.0.1:{port}",state='
        self.wait_until(lambda: named in self.client().get("/metrics").body.decode(), 20, "/metrics names the lane")
        # 40 tasks ask ten times a second each. While the breaker is open only its probes go out.
        before = self.attempts(tasks)
        probes = before + 12
        self.wait_until(lambda: self.attempts(tasks) > before, 20, "a probe goes out")
        self.assertLess(self.attempts(tasks), probes)
        self.assertFalse([task for task in map(self.get, tasks) if task["status"] == "failed"])

        closed.close()
        back = Receiver(port=port)
        self.addCleanup(back.close)
        for task in tasks:
            self.assertEqual(self.finished(task, 90)["status"], "completed")

    def test_retry_after_holds_back_the_whole_lane(self):
        busy = Receiver()
        self.addCleanup(busy.close)
        busy.on("/hook", Answer(429, headers={"Retry-After": "3"}), 200)
        first = self.create(queue="busy", webhook_url=busy.url("/hook"), retry_policy="fixed")
        busy.wait_for(lambda requests: len(requests) == 1)
        self.wait_until(lambda: self.get(first)["attempt_count"] == 1 and self.get(first)["status"] == "pending")
        self.create(queue="busy", webhook_url=busy.url("/hook"))
        one, two, three = busy.wait_for(lambda requests: len(requests) == 3)
        self.assertGreaterEqual(two.time - one.time, 2.9)

    def breaker_states(self):
        return set(self.stack.postgres.psql(
            "SELECT lane ->> 'state' FROM postern.instance, jsonb_array_elements(gauges -> 'lanes') lane").split())


class Parking(StackTest):
    settings = {"POSTERN_SLOTS": "8"}

    def receivers(self, count):
        made = [Receiver() for _ in range(count)]
        for each in made:
            self.addCleanup(each.close)
        return made

    def parked(self):
        found = re.search(r"^postern_attempts_parked{.*} (\d+)$", self.client().get("/metrics").body.decode(), re.M)
        return int(found[1]) if found else 0

    def test_receivers_that_never_answer_hold_up_nobody(self):
        never = threading.Event()
        hanging, well = self.receivers(2), self.receivers(18)
        for each in hanging:
            each.on("/hook", Answer(until=never))
        waiting = [self.create(webhook_url=each.url("/hook"), timeout=300) for _ in range(40) for each in hanging]
        # More than there are slots, and nobody answers them.
        for each in hanging:
            each.wait_for(lambda requests: len(requests) > 4)
        tasks = [self.create(webhook_url=each.url("/hook")) for _ in range(10) for each in well]
        for task in tasks:
            self.assertEqual(self.finished(task)["status"], "completed")
        self.wait_until(lambda: self.parked() > 8, 30, "/metrics tells what is parked")
        states = [self.get(task) for task in waiting]
        self.assertGreater(sum(state["status"] == "active" for state in states), 8)
        self.assertFalse([state for state in states if state["status"] not in ("active", "pending")])


class Tenants(StackTest):
    settings = {"POSTERN_SLOTS": "8", "POSTERN_PLACES": "8"}

    def test_one_whose_hundreds_of_lanes_hang_leaves_slots_to_another(self):
        self.stack.postern("tenant", "create", "--name", "crowd")
        crowd = self.client()
        crowd.key = self.stack.postern("key", "create", "--role", "admin", "--name", "crowd", "--tenant", "crowd")["key"]
        never, receiver = threading.Event(), self.receiver
        receiver.on("/hang", Answer(until=never))

        def batch(path):
            tasks = [{"queue": f"crowd-{i}", "webhook_url": receiver.url(path), "timeout": 1800} for i in range(300)]
            self.assertEqual(crowd.post("/v1/tasks/batch", {"tasks": tasks}).status, 200)

        batch("/well")  # then its lanes are known for quick answers, and may have every slot
        receiver.wait_for(lambda requests: len(receiver.at("/well")) == 300)
        batch("/hang")
        self.wait_until(lambda: len(receiver.at("/hang")) >= 8 + 8 * 3 // 4, 30, "it holds what it may hold")
        for queue in ("one", "two"):
            for task in [self.create(queue=queue) for _ in range(10)]:
                self.assertEqual(self.finished(task)["status"], "completed")
        self.assertEqual(len(receiver.at("/hang")), 8 + 8 * 3 // 4)


if __name__ == "__main__":
    unittest.main()
