"""AsyncQueue's REST API, row by row."""

from covers import covers

from harness import StackTest


class RowsOfAsyncQueue(StackTest):
    tasks = "/v1/tasks"

    def make(self, **fields):
        reply = self.api.post(self.tasks, {"targetUrl": self.receiver.url("/hook"), **fields})
        self.assertEqual(reply.status, 201, reply.body)
        return reply.json["task"]

    @covers("000", "endpoint POST /v1/tasks")
    def test_a_post_makes_a_task_that_calls_its_target(self):
        task = self.make(body='{"orderId": 1}', maxRetries=5)
        self.receiver.wait_for(lambda _: self.receiver.at("/hook"))
        self.assertEqual(self.receiver.at("/hook")[0].body, b'{"orderId": 1}')
        self.assertEqual(task["maxRetries"], 5)

    @covers("000", "endpoint GET /v1/tasks")
    def test_a_list_is_filtered_and_paged(self):
        for _ in range(3):
            self.make(delayUntil="2030-01-01T00:00:00Z")
        page = self.api.get("/asyncqueue/v1/tasks?status=delayed&limit=2&offset=1").json
        self.assertEqual(len(page["tasks"]), 2)
        self.assertEqual({task["status"] for task in page["tasks"]}, {"delayed"})
        pagination = page["pagination"]
        self.assertEqual((pagination["limit"], pagination["offset"]), (2, 1))
        self.assertEqual(pagination["hasMore"], pagination["total"] > 3)
        self.assertEqual(set(pagination), {"total", "limit", "offset", "hasMore"})

    @covers("000", "endpoint GET /v1/tasks/:id")
    def test_one_task_is_read_with_what_came_of_it(self):
        task = self.make()
        done = self.wait_until(lambda: (now := self.api.get(f"{self.tasks}/{task['id']}").json["task"])
                               ["status"] == "completed" and now)
        self.assertEqual(done["result"]["statusCode"], 200)

    @covers("000", "endpoint POST /v1/tasks/:id/cancel")
    def test_only_what_waits_is_cancelled(self):
        task = self.make(delayUntil="2030-01-01T00:00:00Z")
        path = f"{self.tasks}/{task['id']}/cancel"
        self.assertEqual(self.api.post(path).json["task"]["status"], "cancelled")
        again = self.api.post(path)
        self.assertEqual(again.status, 409)
        self.assertEqual(list(again.json), ["error"])
        self.assertIsInstance(again.json["error"], str)
