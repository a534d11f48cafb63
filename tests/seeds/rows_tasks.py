"""AsyncQueue's Tasks (snake_case), row by row."""

import threading
import time
import uuid

from covers import covers

from harness import Answer, StackTest


class RowsOfTasks(StackTest):
    def refused(self, **fields):
        body = {"queue": "rows", "webhook_url": self.receiver.url("/hook"), **fields}
        return self.api.post("/v1/tasks", {name: value for name, value in body.items() if value is not None})

    @covers("001", "field queue")
    def test_a_queue_is_required_and_kept(self):
        self.assertEqual(self.create(queue="emails")["queue"], "emails")
        self.assertEqual(self.refused(queue=None).json["error"]["details"]["field"], "queue")

    @covers("001", "field webhook_url")
    def test_the_webhook_is_called(self):
        self.finished(self.create())
        self.assertEqual(len(self.receiver.at("/hook")), 1)
        self.assertEqual(self.refused(webhook_url=None).json["error"]["details"]["field"], "webhook_url")

    @covers("001", "field payload")
    def test_a_payload_goes_with_the_webhook(self):
        self.finished(self.create(payload={"to": "a@b.example"}))
        self.assertEqual(self.receiver.at("/hook")[0].json["payload"], {"to": "a@b.example"})
        self.assertEqual(self.refused(payload=[1]).status, 400)

    @covers("001", "field delay")
    def test_a_delay_is_waited_for(self):
        before = time.monotonic()
        task = self.create(delay=2)
        self.assertEqual((task["status"], task["delay"]), ("pending", 2))
        self.finished(task)
        self.assertGreaterEqual(self.receiver.at("/hook")[0].time - before, 1.9)

    @covers("001", "field priority")
    def test_a_higher_priority_goes_first(self):
        queue = f"priority-{uuid.uuid4().hex[:8]}"
        self.assertEqual(self.api.post("/v1/queues", {"name": queue}).status, 201)
        self.api.post(f"/v1/queues/{queue}/pause")
        order = [1, 10, None, 7]
        tasks = [self.create(queue=queue, webhook_url=self.receiver.url(f"/{priority or 5}"),
                             **({"priority": priority} if priority else {})) for priority in order]
        self.assertEqual([task["priority"] for task in tasks], [1, 10, 5, 7])
        self.api.request("PATCH", f"/v1/queues/{queue}", {"max_concurrent": 1})
        self.api.post(f"/v1/queues/{queue}/resume")
        for task in tasks:
            self.finished(task)
        self.assertEqual([request.path for request in self.receiver.requests], ["/10", "/7", "/5", "/1"])

    @covers("001", "field max_retries")
    def test_its_own_number_of_retries_wins_over_the_queues(self):
        self.receiver.on("/hook", 500)
        task = self.finished(self.create(max_retries=1))
        self.assertEqual((task["status"], task["attempt_count"]), ("failed", 2))
        self.assertEqual(self.create(delay=60)["max_retries"], 3)

    @covers("001", "parameter queue")
    def test_a_list_of_one_queue(self):
        queue = f"list-{uuid.uuid4().hex[:8]}"
        task = self.create(queue=queue, delay=60)
        self.create(delay=60)
        listed = self.api.get(f"/v1/tasks?queue={queue}").json["tasks"]
        self.assertEqual([each["id"] for each in listed], [task["id"]])

    @covers("001", "parameter status")
    def test_a_list_of_one_status(self):
        queue = f"status-{uuid.uuid4().hex[:8]}"
        waiting, done = self.create(queue=queue, delay=60), self.create(queue=queue)
        self.finished(done)
        for status, task in (("pending", waiting), ("completed", done)):
            listed = self.api.get(f"/v1/tasks?queue={queue}&status={status}").json["tasks"]
            self.assertEqual([each["id"] for each in listed], [task["id"]])
        for status in ("active", "failed"):
            self.assertEqual(self.api.get(f"/v1/tasks?queue={queue}&status={status}").json["tasks"], [])

    @covers("001", "parameter limit")
    def test_a_list_has_twenty_unless_told_and_a_hundred_at_most(self):
        self.assertEqual(self.api.get("/v1/tasks").json["pagination"]["limit"], 20)
        self.assertEqual(self.api.get("/v1/tasks?limit=100").status, 200)
        self.assertEqual(self.api.get("/v1/tasks?limit=101").status, 400)

    @covers("001", "parameter offset")
    def test_a_list_goes_on_from_an_offset(self):
        queue = f"offset-{uuid.uuid4().hex[:8]}"
        tasks = [self.create(queue=queue, delay=60)["id"] for _ in range(3)]
        listed = self.api.get(f"/v1/tasks?queue={queue}&offset=1").json["tasks"]
        self.assertEqual([each["id"] for each in listed], tasks[1::-1])

    @covers("001", "status pending")
    def test_what_is_delayed_or_waits_for_a_retry_is_pending(self):
        self.assertEqual(self.create(delay=60)["status"], "pending")
        self.receiver.on("/hook", 500)
        task = self.create(retry_policy={"intervals": [60]})
        self.wait_until(lambda: self.get(task)["attempt_count"] == 1 and self.get(task)["attempts"])
        self.assertEqual(self.get(task)["status"], "pending")

    @covers("001", "status active")
    def test_what_is_being_delivered_is_active_and_cannot_be_deleted(self):
        answer = threading.Event()
        self.receiver.on("/hook", Answer(until=answer))
        task = self.create()
        self.receiver.wait_for(lambda _: self.receiver.at("/hook"))
        self.assertEqual(self.get(task)["status"], "active")
        self.assertEqual(self.api.delete(f"/v1/tasks/{task['id']}").status, 409)
        answer.set()
        self.finished(task)

    @covers("001", "status completed")
    def test_a_2xx_completes_and_nothing_else(self):
        self.receiver.on("/hook", 204)
        self.assertEqual(self.finished(self.create())["status"], "completed")
        self.receiver.on("/hook", 302)
        self.assertEqual(self.finished(self.create(max_retries=0))["status"], "failed")

    @covers("001", "status failed")
    def test_a_task_has_failed_when_its_attempts_are_used_up(self):
        self.receiver.on("/hook", 503)
        task = self.finished(self.create(max_retries=1))
        self.assertEqual((task["status"], len(task["attempts"])), ("failed", 2))
