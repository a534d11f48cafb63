"""TaskMQ, row by row."""

import time

from covers import covers
from tokens import token

from harness import StackTest


class RowsOfTaskMq(StackTest):
    settings = {"TASKMQ_JWT_SECRET": "TaskMQ's own, of 32 bytes at least"}

    def setUp(self):
        super().setUp()
        # One handler per test, so that remaining jobs of one test do not call the receiver of the next.
        self.handler = self._testMethodName
        self.api.request("PUT", f"/v1/endpoints/{self.handler}", {"url": self.receiver.url("/rows")})
        secret = self.settings["TASKMQ_JWT_SECRET"]
        self.headers = {role: {"Authorization": f"Bearer {token(secret, role=role)}"}
                        for role in ("admin", "worker")}
        self.nobody = self.client()

    def ask(self, path, body=None, role="admin"):
        return self.nobody.request("POST" if body is not None else "GET", path, body, self.headers[role])

    def add(self, **fields):
        reply = self.ask("/add-job", {"payload": {"n": 1}, "handler": self.handler, **fields})
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json["job_id"]

    def job(self, job_id):
        return self.ask(f"/job/{job_id}").json

    def wait_for(self, job_id, status, timeout=30):
        return self.wait_until(lambda: (job := self.job(job_id))["status"] == status and job, timeout)

    def mistakes(self, **fields):
        body = {name: value for name, value in {"payload": {}, "handler": self.handler, **fields}.items()
                if value != "absent"}
        reply = self.ask("/add-job", body)
        self.assertEqual(reply.status, 422, reply.body)
        return [(mistake["loc"], mistake["type"]) for mistake in reply.json["detail"]]

    @covers("002", "field payload")
    def test_the_payload_is_an_object_and_reaches_the_handler(self):
        self.wait_for(self.add(payload={"key": "value"}), "SUCCESS")
        self.assertEqual(self.receiver.at("/rows")[0].json["payload"], {"key": "value"})
        self.assertEqual(self.mistakes(payload="absent"), [(["body", "payload"], "value_error.missing")])
        self.assertEqual(self.mistakes(payload=[1]), [(["body", "payload"], "type_error.dict")])

    @covers("002", "field handler")
    def test_the_handler_is_named_to_the_receiver(self):
        job = self.wait_for(self.add(), "SUCCESS")
        self.assertEqual((job["handler"], self.receiver.at("/rows")[0].json["handler"]), (self.handler, self.handler))
        self.assertEqual(self.mistakes(handler="absent"), [(["body", "handler"], "value_error.missing")])

    @covers("002", "field priority")
    def test_high_goes_before_normal_and_low(self):
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        for priority, kept in ((None, 0), (0, 0), (10, 10), (20, 20), (7, 7)):
            given = {} if priority is None else {"priority": priority}
            self.assertEqual(self.job(self.add(scheduled_for=later, **given))["priority"], kept)
        ranks = self.stack.postgres.psql("SELECT string_agg(DISTINCT priority::text, ',') FROM postern.task"
                                         " WHERE dialect = 'taskmq' AND priority IN (25, 50, 75)")
        self.assertEqual(sorted(ranks.split(",")), ["25", "50", "75"])
        self.assertEqual(self.mistakes(priority="high"), [(["body", "priority"], "type_error.integer")])

    @covers("002", "field retry_policy")
    def test_each_policy_makes_its_number_of_attempts(self):
        self.receiver.on("/rows", 500)

        def times_of(job_id):
            return [request.time for request in self.receiver.at("/rows") if request.json["job_id"] == job_id]

        once, thrice = self.add(retry_policy="none"), self.add()
        self.assertEqual((self.wait_for(once, "FAILED")["retries"], len(times_of(once))), (1, 1))
        self.assertEqual(self.wait_for(thrice, "FAILED")["retry_policy"], "fixed")
        times = times_of(thrice)
        self.assertEqual(len(times), 3)
        self.assertGreaterEqual(times[1] - times[0], 1.9)
        self.assertEqual(self.job(self.add(retry_policy="exponential"))["retry_policy"], "exponential")
        self.assertEqual(self.mistakes(retry_policy="often"), [(["body", "retry_policy"], "value_error.const")])

    @covers("002", "field scheduled_for")
    def test_a_scheduled_job_waits_for_its_time(self):
        job_id = self.add(scheduled_for="2030-04-01T12:00:00+02:00")
        self.assertEqual((self.job(job_id)["status"], self.job(job_id)["scheduled_for"]),
                         ("PENDING", "2030-04-01T10:00:00+00:00"))
        self.wait_for(self.add(scheduled_for="2020-01-01T00:00:00Z"), "SUCCESS")
        self.assertEqual(self.mistakes(scheduled_for="soon"),
                         [(["body", "scheduled_for"], "value_error.datetime")])

    @covers("002", "field interval_seconds")
    def test_a_periodic_job_comes_again_under_the_same_id(self):
        job_id = self.add(interval_seconds=1)
        self.receiver.wait_for(lambda _: [request.json["job_id"] for request in self.receiver.at("/rows")]
                               .count(job_id) >= 3, 60)
        self.wait_for(job_id, "PENDING")
        self.wait_until(lambda: self.ask("/cancel", {"job_id": job_id}).status == 200)
        self.assertEqual(self.job(job_id)["status"], "FAILED")
        self.assertEqual(len(self.mistakes(interval_seconds=0)), 1)

    @covers("002", "role admin")
    def test_an_admin_may_do_everything(self):
        job_id = self.add(scheduled_for="2030-01-01T00:00:00Z")
        self.assertEqual(self.ask("/cancel", {"job_id": job_id}).status, 200)
        self.assertEqual(self.ask("/retry", {"job_id": job_id}).status, 200)

    @covers("002", "role worker")
    def test_a_worker_may_retry_only(self):
        job_id = self.add(scheduled_for="2030-01-01T00:00:00Z")
        self.assertEqual(self.ask("/cancel", {"job_id": job_id}, "worker").status, 403)
        self.assertEqual(self.ask("/add-job", {"payload": {}, "handler": self.handler}, "worker").status, 403)
        self.ask("/cancel", {"job_id": job_id})
        self.assertEqual(self.ask("/retry", {"job_id": job_id}, "worker").status, 200)

    @covers("002", "variable TASKMQ_JWT_SECRET")
    def test_the_secret_of_the_environment_checks_tokens(self):
        self.assertNotEqual(self.settings["TASKMQ_JWT_SECRET"], self.stack.state["jwt_secret"])
        self.assertEqual(self.ask(f"/job/{self.add()}").status, 200)
        stranger = {"Authorization": f"Bearer {token('x' * 40, role='admin')}"}
        self.assertEqual(self.nobody.get("/job/1", headers=stranger).status, 401)

    @covers("002", "variable TASKMQ_BACKEND", "variable TASKMQ_REDIS_URL")
    def test_everything_is_in_postgresql_whatever_backend_is_named(self):
        job_id = self.add(scheduled_for="2030-01-01T00:00:00Z")
        self.assertEqual(self.stack.postgres.psql(
            f"SELECT count(*) FROM postern.task WHERE job_id = {job_id}"), "1")

    @covers("002", "endpoint GET /health")
    def test_health_needs_no_token(self):
        reply = self.nobody.get("/health")
        self.assertEqual((reply.status, reply.json), (200, {"status": "ok", "worker": "alive"}))

    @covers("002", "endpoint POST /add-job")
    def test_a_job_is_added_and_numbered(self):
        reply = self.ask("/add-job", {"payload": {}, "handler": self.handler})
        self.assertEqual((reply.status, set(reply.json), reply.json["status"]), (200, {"status", "job_id"}, "ok"))
        self.assertIsInstance(reply.json["job_id"], int)

    @covers("002", "endpoint POST /cancel")
    def test_only_a_pending_job_is_cancelled(self):
        job_id = self.add(scheduled_for="2030-01-01T00:00:00Z")
        self.assertEqual(self.ask("/cancel", {"job_id": job_id}).json, {"status": "cancelled", "job_id": job_id})
        self.assertEqual(self.job(job_id)["error_log"], "Cancelled by admin")
        again = self.ask("/cancel", {"job_id": job_id})
        self.assertEqual((again.status, again.json), (409, {"detail": "Job is not pending"}))

    @covers("002", "endpoint POST /retry")
    def test_only_a_failed_job_is_retried(self):
        self.receiver.on("/rows", 500, 200)
        job_id = self.add(retry_policy="none")
        self.wait_for(job_id, "FAILED")
        self.assertEqual(self.ask("/retry", {"job_id": job_id}).json, {"status": "retrying", "job_id": job_id})
        self.wait_for(job_id, "SUCCESS")
        again = self.ask("/retry", {"job_id": job_id})
        self.assertEqual((again.status, again.json), (409, {"detail": "Job is not failed"}))

    @covers("002", "endpoint GET /monitor/metrics")
    def test_metrics_are_prometheus_text_without_a_token(self):
        self.wait_for(self.add(), "SUCCESS")
        for path in ("/monitor/metrics", "/monitor/metrics/"):
            reply = self.nobody.get(path)
            self.assertEqual(reply.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            text = reply.body.decode()
            for line in ('taskmq_jobs_total{status="success"} ', 'taskmq_jobs_total{status="failed"} ',
                         'taskmq_job_duration_seconds_bucket{le="0.1"} ',
                         "# TYPE taskmq_jobs_total counter", "# TYPE taskmq_job_duration_seconds histogram"):
                self.assertIn(line, text)

    @covers("002", "error 401")
    def test_no_token_is_401(self):
        reply = self.nobody.post("/add-job", {"payload": {}, "handler": self.handler})
        self.assertEqual((reply.status, reply.json), (401, {"detail": "Invalid or missing token"}))
        self.assertEqual(reply.headers["WWW-Authenticate"], "Bearer")

    @covers("002", "error 403")
    def test_a_role_too_low_is_403(self):
        reply = self.ask("/add-job", {"payload": {}, "handler": self.handler}, "worker")
        self.assertEqual((reply.status, reply.json), (403, {"detail": "Insufficient permissions"}))

    @covers("002", "error 404")
    def test_no_such_job_is_404(self):
        for reply in (self.ask("/job/999999999"), self.ask("/cancel", {"job_id": 999999999}),
                      self.ask("/retry", {"job_id": 999999999})):
            self.assertEqual((reply.status, reply.json), (404, {"detail": "Job not found"}))

    @covers("002", "error 422")
    def test_each_mistake_is_told_with_its_place(self):
        reply = self.ask("/add-job", {})
        self.assertEqual(reply.status, 422)
        self.assertEqual(reply.json["detail"], [
            {"loc": ["body", field], "msg": "field required", "type": "value_error.missing"}
            for field in ("payload", "handler")])
