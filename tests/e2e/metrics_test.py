#!/usr/bin/python3
"""/metrics, /v1/stats and the other paths about the server, after tasks that really ran."""

import signal
import threading
import unittest

from harness import Answer, StackTest

import prometheus

# All families with their types.
FAMILIES = {
    "taskmq_jobs_total": "counter",
    "taskmq_job_duration_seconds": "histogram",
    "postern_delivery_duration_seconds": "histogram",
    "postern_lateness_seconds": "histogram",
    "postern_lease_expired_total": "counter",
    "postern_corrupt_rows_total": "counter",
    "postern_egress_blocked_total": "counter",
    "postern_schedule_missed_total": "counter",
    "postern_tasks_created_total": "counter",
    "postern_attempts_total": "counter",
    "postern_tasks_finished_total": "counter",
    "postern_queue_depth": "gauge",
    "postern_queue_oldest_due_seconds": "gauge",
    "postern_metrics_truncated": "gauge",
    "postern_engine_paused": "gauge",
    "postern_paused": "gauge",
    "postern_queue_paused": "gauge",
    "postern_endpoint_paused": "gauge",
    "postern_schedule_paused": "gauge",
    "postern_scheduler_up": "gauge",
    "postern_inflight": "gauge",
    "postern_attempts_parked": "gauge",
    "postern_lane_breaker_state": "gauge",
    "postern_build_info": "gauge",
    "postern_cell_info": "gauge",
}


class MetricsTest(StackTest):
    def metrics(self):
        """Checks the text of /metrics and returns its samples."""
        reply = self.client().get("/metrics")
        self.assertEqual(reply.status, 200, reply.body)
        return prometheus.check(reply.body.decode())

    def value(self, name, /, **labels):
        """The value of a series; 0 when it does not exist (yet)."""
        return self.metrics().get((name, tuple(sorted(labels.items()))), 0)

    def queue_value(self, name, queue, /, **labels):
        return self.value(name, tenant="default", queue=queue, **labels)

    def restart_handler(self):
        process = self.stack.programs["fcgi"]
        before = self.wait_until(lambda: process.pid, what="a handler runs")
        process.stop(signal.SIGTERM, timeout=40)
        self.wait_until(lambda: self.client().get("/v1/info").status != 502, what="the next handler")
        self.assertNotEqual(process.pid, before)


class Checker(unittest.TestCase):
    """Tests of the checker itself."""

    HEAD = "# HELP a_total A.\n# TYPE a_total counter\n"
    HISTOGRAM = ("# HELP h H.\n# TYPE h histogram\n"
                 'h_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n')

    def test_accepts_valid_text(self):
        samples = prometheus.check(self.HEAD + 'a_total{b="x\\"\\\\\\n",c=""} 1e3\n' + self.HISTOGRAM)
        self.assertEqual(samples["a_total", (("b", 'x"\\\n'), ("c", ""))], 1000)

    def test_refuses_invalid_text(self):
        for text in (
            self.HEAD + "a_total 1",
            "a_total 1\n",
            "# TYPE a_total counter\na_total 1\n",
            self.HEAD + self.HEAD + "a_total 1\n",
            self.HEAD + "a_total 1\na_total 2\n",
            self.HEAD + "a_total{b=x} 1\n",
            self.HEAD + 'a_total{b="x" c="y"} 1\n',
            self.HEAD + 'a_total{b="x",b="y"} 1\n',
            self.HEAD + 'a_total{b="\\t"} 1\n',
            self.HEAD + "a_total one\n",
            self.HEAD + "a_total -1\n",
            self.HEAD.replace("a_total", "a") + "a 1\n",
            self.HEAD.replace("counter", "gauge") + "a_total 1\n",
            self.HEAD.replace("counter", "number") + "a_total 1\n",
            self.HEAD + self.HISTOGRAM + "a_total 1\n",
            self.HISTOGRAM.replace("count 2", "count 3"),
            self.HISTOGRAM.replace("} 1", "} 5"),
            self.HISTOGRAM.replace("+Inf", "2.0"),
            self.HISTOGRAM.replace("h_sum 3\n", ""),
        ):
            with self.subTest(text), self.assertRaises(prometheus.Wrong):
                prometheus.check(text)


class Text(MetricsTest):
    def test_an_allowed_address_needs_no_key_and_sees_every_family(self):
        for path in ("/metrics", "/monitor/metrics"):
            reply = self.client().get(path)
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            text = reply.body.decode()
            prometheus.check(text)
            types = dict(line.split(" ")[2:] for line in text.splitlines() if line.startswith("# TYPE "))
            self.assertEqual(types, FAMILIES)

    def test_head_has_no_body(self):
        reply = self.client().request("HEAD", "/metrics")
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertEqual(reply.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")

    def test_other_methods_are_refused(self):
        reply = self.client().post("/metrics", {})
        self.assertEqual((reply.status, reply.headers["Allow"]), (405, "GET, HEAD"))

    def test_the_version_is_that_of_the_handlers(self):
        version = self.api.get("/v1/info").json["version"]
        self.assertEqual(self.value("postern_build_info", version=version), 1)


class Counters(MetricsTest):
    TASKS = 40

    def test_sums_are_exact_over_instances_and_survive_restarts(self):
        self.another_scheduler("second")
        self.wait_until(lambda: self.value("postern_scheduler_up", name="second") == 1,
                        what="the second scheduler is seen")
        # The schedulers tell of the durations later than of the attempts.
        before = self.wait_until(lambda: (now := self.metrics()) and sum(
            value for (name, _), value in now.items() if name == "postern_attempts_total")
            == now["postern_delivery_duration_seconds_count", ()] and now, what="all is told of the attempts before")
        statuses = [500, 200, 200, 410]  # of four tasks, one tries twice and one fails
        for number in range(self.TASKS):
            path = f"/sums/{number}"
            if number % 4 == 0:
                self.receiver.on(path, statuses[0], statuses[1])
            elif number % 4 == 3:
                self.receiver.on(path, statuses[3])
            self.create(queue="sums", webhook_url=self.receiver.url(path),
                        retry_policy={"intervals": [0]})
        over = lambda: (self.queue_value("postern_tasks_finished_total", "sums", status="completed")
                        + self.queue_value("postern_tasks_finished_total", "sums", status="failed"))
        self.wait_until(lambda: over() == self.TASKS, 30, "all are over")

        fourth = self.TASKS // 4
        attempts = self.TASKS + fourth
        want = {
            ("postern_tasks_created_total",): self.TASKS,
            ("postern_tasks_finished_total", ("status", "completed")): 3 * fourth,
            ("postern_tasks_finished_total", ("status", "failed")): fourth,
            ("postern_tasks_finished_total", ("status", "cancelled")): 0,
            ("postern_attempts_total", ("outcome", "success")): 3 * fourth,
            ("postern_attempts_total", ("outcome", "failed")): 2 * fourth,
            ("postern_attempts_total", ("outcome", "lost")): 0,
        }
        all_over = {
            ("taskmq_jobs_total", (("status", "success"),)): 3 * fourth,
            ("taskmq_jobs_total", (("status", "failed"),)): fourth,
            **{(f"{name}_count", ()): attempts for name, kind in FAMILIES.items() if kind == "histogram"},
        }

        histograms = [key for key in all_over if key[0].endswith("_count")]
        self.wait_until(
            lambda: all(self.metrics()[key] - before.get(key, 0) == attempts for key in histograms), 30,
            "the schedulers have told how long the attempts took")

        def same(after):
            for (name, *labels), value in want.items():
                key = name, tuple(sorted([("tenant", "default"), ("queue", "sums"), *labels]))
                self.assertEqual(after[key] - before.get(key, 0), value, key)
            for key, value in all_over.items():
                self.assertEqual(after[key] - before.get(key, 0), value, key)

        same(self.metrics())
        self.restart_handler()
        same(self.metrics())

    def test_stats_agree(self):
        task = self.create(queue="told")
        self.finished(task)
        self.api.delete(f"/v1/tasks/{self.create(queue='told', delay=3600)['id']}")
        waiting = self.create(queue="told", delay=3600)
        stats = self.wait_until(
            lambda: (found := self.told("told")) and found["depth"]["delayed"] == 1 and found, 30,
            "a scheduler has measured")
        self.assertEqual(stats["created"], 3)
        self.assertEqual(stats["deleted"], 1)
        self.assertEqual(stats["finished"], {"completed": 1, "failed": 0, "cancelled": 0})
        self.assertEqual(stats["attempts"], {"success": 1, "failed": 0, "lost": 0})
        self.assertEqual(stats["depth"], {"ready": 0, "delayed": 1, "active": 0, "blocked": 0})
        self.assertEqual(self.queue_value("postern_queue_depth", "told", state="delayed"), 1)
        self.api.delete(f"/v1/tasks/{waiting['id']}")

    def told(self, queue):
        reply = self.client("read").get("/v1/stats")
        self.assertEqual(reply.status, 200, reply.body)
        return {each["name"]: each for each in reply.json["queues"]}.get(queue)

    def test_schedulers_are_listed_with_their_load(self):
        told = threading.Event()
        self.addCleanup(told.set)
        self.receiver.on("/held", Answer(until=told))
        task = self.create(webhook_url=self.receiver.url("/held"))
        self.receiver.wait_for(lambda requests: any(each.path == "/held" for each in requests))
        stats = self.wait_until(
            lambda: (reply := self.api.get("/v1/stats").json)["in_flight"] >= 1 and reply, 20,
            "the heart has beaten")
        first = stats["schedulers"][0]
        self.assertEqual(set(first), {"name", "version", "since", "up", "beat_age_seconds", "slots",
                                      "in_flight"})
        self.assertTrue(first["up"])
        self.assertEqual(first["slots"], 256)
        self.assertLess(first["beat_age_seconds"], 60)
        told.set()
        self.finished(task)


if __name__ == "__main__":
    unittest.main()
