#!/usr/bin/python3
"""Bad input over HTTP: every refusal names the reason and the field, and no handler crashes."""

import json
import random
import unittest

from harness import StackTest

TASK = {"queue": "q", "webhook_url": "http://127.0.0.1:9/"}
MALFORMED = (
    b"", b" ", b"{", b"{}{}", b'{"queue":"q",}', b"{'queue':'q'}", b'{"queue":q}', b'{"queue":"q"} x',
    b'{"queue":NaN}', b'{"queue":01}', b"\xef\xbb\xbf{}", b"{}\x00", b"a=1&b=2", b'{"queue":"\n"}',
    b'{"queue":"\xff"}', b'{"queue":"\xc0\xaf"}', b'{"queue":"\xed\xa0\x80"}', b'{"\x80":1}',
    b'{"\\ud800":1}', b'{"queue":"\\udc00\\ud800}', b'{"queue":"\\u12"}', b'{"queue":"\\x41"}',
    '{"queue":"q"}'.encode("utf-16"), b"[" * 100_000, b'{"a":' * 50_000, b"/* */ {}", b"-", b"tru",
)
# Each case is TASK with one field set to this value; None: without the field.
FIELDS = (
    ("queue", None, "queue_name_required"),
    ("queue", "", "queue_name_required"),
    ("queue", 5, "invalid_type"),
    ("queue", "a" * 65, "queue_name_invalid"),
    ("queue", "../q", "queue_name_invalid"),
    ("queue", "q'; DROP TABLE task;--", "queue_name_invalid"),
    ("queue", "q\u0000", "queue_name_invalid"),
    ("queue", "é😀", "queue_name_invalid"),
    ("webhook_url", None, "url_required"),
    ("webhook_url", ["http://example.com/"], "invalid_type"),
    ("payload", [1], "payload_invalid"),
    ("payload", "text", "payload_invalid"),
    ("payload_base64", "a", "payload_base64_invalid"),
    ("payload_base64", "YQ", "payload_base64_invalid"),
    ("body", {"a": 1}, "invalid_type"),
    ("content_type", "text/plain", "content_type_invalid"),  # a payload is always JSON
    ("delay", -1, "delay_out_of_range"),
    ("delay", 2**63, "delay_out_of_range"),
    ("delay", -10**400, "delay_out_of_range"),
    ("delay", 10 * 366 * 86400 + 1, "delay_out_of_range"),
    ("delay", 1.5, "invalid_type"),
    ("delay", 1e3, "invalid_type"),
    ("delay", "5", "invalid_type"),
    ("delay", True, "invalid_type"),
    ("delay", [], "invalid_type"),
    ("priority", 0, "priority_out_of_range"),
    ("priority", 11, "priority_out_of_range"),
    ("priority", -2**63, "priority_out_of_range"),
    ("priority", "high", "invalid_type"),
    ("max_retries", -1, "max_retries_out_of_range"),
    ("max_retries", 101, "max_retries_out_of_range"),
    ("max_retries", 10**9, "max_retries_out_of_range"),
    ("timeout", 0, "timeout_out_of_range"),
    ("timeout", 1801, "timeout_out_of_range"),
    ("timeout", 2**63, "timeout_out_of_range"),
    ("run_at", "tomorrow", "time_invalid"),
    ("run_at", 1700000000, "invalid_type"),
    ("run_at", "2025-02-30T00:00:00Z", "time_invalid"),
    ("run_at", "9999-12-31T23:59:59Z", "run_at_out_of_range"),
    ("deadline", "2020-01-01T00:00:00Z", "deadline_past"),
    ("deadline", "infinity", "time_invalid"),
    ("retry_policy", "often", "unknown_retry_policy"),
    ("retry_policy", 3, "invalid_type"),
    ("retry_policy", {"intervals": []}, "retry_policy_invalid"),
    ("retry_policy", {"intervals": [-1]}, "retry_policy_invalid"),
    ("retry_policy", {"intervals": [1], "jitter": 2}, "retry_policy_invalid"),
    ("retry_policy", {"intervals": [1], "else": 2}, "retry_policy_invalid"),
    ("method", "TRACE", "method_invalid"),
    ("method", "post", "method_invalid"),
    ("method", "POST / HTTP/1.1\r\nX: y", "method_invalid"),
    ("tags", "one", "invalid_type"),
    ("tags", [1], "invalid_type"),
    ("tags", ["a,b"], "tag_invalid"),
    ("tags", ["a"] * 17, "tags_too_many"),
    ("target_url", "http://example.com/", "unknown_field"),
    ("Queue", "q", "unknown_field"),
    ("a" * 5000, 1, "unknown_field"),
    ("headers", [], "invalid_type"),
    ("headers", {f"X-{number}": "" for number in range(51)}, "headers_too_many"),
    ("headers", {f"X-{number}": "a" * 4000 for number in range(3)}, "headers_too_many"),
)
URLS = (
    "", "example.com", "//example.com/", "/path", "http:/example.com", "http:example.com", "http://",
    "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)",
    "http://user@example.com/", "http://user:password@example.com/", "http://a@b@example.com/",
    "http://example.com/\r\nX-Injected: 1", "http://example.com/\n", "http://exam\rple.com/",
    "http://example.com/ HTTP/1.1", "http://example.com/\u0000", "http://example.com/\t", "http://ex ample.com/",
    "http://example.com:0/", "http://example.com:65536/", "http://example.com:-1/", "http://example.com:/",
    "http://example.com:80x/", "http://example.com:99999999999999999999/",
    "http://127.1/", "http://0x7f.1/", "http://0177.0.0.1/", "http://2130706433/", "http://127.0.0.01/",
    "http://[::1/", "http://[::1%25lo]/", "http://[::1]x/", "http://:80/", "http://./", "http://a..b/",
    "http://example.com./", "http://exämple.com/", "http://１２７.0.0.1/", "http://%31%32%37.0.0.1/",
    "http://example.com\\@127.0.0.1/", "http://example.com/%", "http://example.com/%zz",
    "http://" + "a" * 64 + ".com/", "http://example.com/" + "a" * 2048,
)
HEADERS = (
    ("", "x", "header_name_invalid"),
    ("X Y", "x", "header_name_invalid"),
    ("X:", "x", "header_name_invalid"),
    ("X: y\r\nZ", "x", "header_name_invalid"),
    ("X\u0000", "x", "header_name_invalid"),
    ("X\n", "x", "header_name_invalid"),
    ("é", "x", "header_name_invalid"),
    ("X" * 257, "x", "header_name_invalid"),
    ("X", "a\r\nZ: b", "header_value_invalid"),
    ("X", "a\n b", "header_value_invalid"),
    ("X", "a\rb", "header_value_invalid"),
    ("X", "a\u0000b", "header_value_invalid"),
    ("X", "\u007f", "header_value_invalid"),
    ("X", "a" * 4097, "header_value_invalid"),
    ("X", 1, "invalid_type"),
    *((name, "1", "header_reserved") for name in (
        "Host", "content-LENGTH", "Transfer-Encoding", "Connection", "TE", "Expect", "Upgrade", "Trailer",
        "Keep-Alive", "Proxy-Authorization", "webhook-id", "Postern-Attempt", "Webhook_Signature", "Content_Length")),
)
QUERIES = (
    ("limit=0", "limit_invalid", "limit"),
    ("limit=101", "limit_invalid", "limit"),
    ("limit=-1", "limit_invalid", "limit"),
    ("limit=1e1", "limit_invalid", "limit"),
    ("limit=", "limit_invalid", "limit"),
    (f"limit={10**30}", "limit_invalid", "limit"),
    ("limit=1&limit=2", "parameter_repeated", "limit"),
    ("offset=-1", "offset_invalid", "offset"),
    ("offset=1000000000", "offset_invalid", "offset"),
    ("offset=x", "offset_invalid", "offset"),
    ("status=done", "status_invalid", "status"),
    ("status=pending'--", "status_invalid", "status"),
    ("queue=a/b", "queue_name_invalid", "queue"),
    ("queue=%27%20OR%201=1", "queue_name_invalid", "queue"),
    ("tag=a,b", "tag_invalid", "tag"),
    ("created_since=yesterday", "time_invalid", "created_since"),
    ("created_until=0000-00-00", "time_invalid", "created_until"),
    ("cursor=task_x", "cursor_invalid", "cursor"),
    ("queue=%00", "query_invalid", None),
    ("queue=%zz", "query_invalid", None),
    ("queue=%ff", "query_invalid", None),
    ("%c0%af=1", "query_invalid", None),
)


class BadInput(StackTest):
    settings = {"POSTERN_MAX_BODY": "300k"}  # below nginx's own limit, so that both are tested

    def setUp(self):
        super().setUp()
        self.pid = self.stack.programs["fcgi"].pid

    def tearDown(self):
        # The same process still works, and only the valid tasks have been stored.
        self.assertEqual(self.stack.programs["fcgi"].pid, self.pid)
        self.assertEqual(self.api.get("/v1/tasks").status, 200)
        self.assertEqual(self.stack.postgres.psql(
            "SELECT count(*) FROM postern.task_all WHERE 'good' <> ALL (coalesce(tags, '{}'))"), "0")
        self.assertNotIn("request failed", (self.stack.log / "fcgi.log").read_text())

    def assert_refused(self, reply, status, code, reason, field):
        self.assertEqual(reply.status, status, reply.body)
        error = reply.json["error"]
        details = {"reason": reason, **({"field": field} if field else {})}
        self.assertEqual((error["code"], error["details"]), (code, details), error)
        self.assertTrue(error["message"])

    def post_refused(self, body, reason, field):
        reply = self.api.post("/v1/tasks", body)
        with self.subTest(body=json.dumps(body)[:200] if isinstance(body, dict) else body[:200]):
            self.assert_refused(reply, 400, "invalid_argument", reason, field)

    def test_malformed_json(self):
        for body in MALFORMED:
            self.post_refused(body, "invalid_json", None)
        for body in (b"[]", b'"text"', b"5", b"null"):
            self.post_refused(body, "object_required", None)

    def test_depth_64_is_the_deepest(self):
        def nested(depth):  # the body itself and the payload are two levels
            return json.dumps({**TASK, "delay": 300, "tags": ["good"], "payload": {}}).replace(
                "{}", '{"a":' + "[" * (depth - 2) + "]" * (depth - 2) + "}").encode()

        self.assertEqual(self.api.post("/v1/tasks", nested(64)).status, 201)
        self.post_refused(nested(65), "invalid_json", None)

    def test_doubled_fields(self):
        for field in (*TASK, "payload", "delay", "nonsense"):
            text = json.dumps({field: 1, **TASK})[:-1] + f', "{field}": 1}}'
            self.post_refused(text.encode(), "duplicate_field", field)
        self.post_refused(b'{"queue":"q","qu\\u0065ue":"q"}', "duplicate_field", "queue")
        self.post_refused(json.dumps({**TASK, "headers": "x"}).replace('"x"', '{"X":"","X":""}').encode(),
                          "duplicate_field", "headers.X")

    def test_fields(self):
        for field, value, reason in FIELDS:
            task = {**TASK, field: value}
            self.post_refused({name: each for name, each in task.items() if each is not None},
                              reason, field[:100])
        self.post_refused({**TASK, "payload": {}, "body": ""}, "payload_both_set", "payload")
        self.post_refused({**TASK, "body": "", "content_type": "a/b\r\nX: y"}, "content_type_invalid",
                          "content_type")
        for field in ("delay", "priority", "timeout", "payload", "headers", "tags", "retry_policy"):
            reply = self.api.post("/v1/tasks", {**TASK, "delay": 300, "tags": ["good"], field: None})
            self.assertEqual(reply.status, 201, field)  # null means the same as an absent field
            self.api.delete(f"/v1/tasks/{reply.json['id']}")

    def test_urls(self):
        for url in URLS:
            self.post_refused({**TASK, "webhook_url": url}, "url_invalid" if url else "url_required",
                              "webhook_url")

    def test_headers_that_could_split_a_request(self):
        for name, value, reason in HEADERS:
            self.post_refused({**TASK, "headers": {name: value}}, reason, f"headers.{name[:256]}"
                              if reason != "invalid_type" else f"headers.{name[:100]}")
        self.post_refused({**TASK, "headers": {"X-A": "1", "x-a": "2"}}, "header_repeated", "headers.x-a")

    def test_reserved_headers_at_every_door(self):
        for name in ("Webhook-Signature", "Webhook_Signature", "Content_Length"):
            headers, url = {name: "1"}, "http://a.test/"
            for path, body in (("/v1/endpoints", {"name": "e", "url": url, "headers": headers}),
                               ("/v1/schedules", {"name": "s", "schedule": "@daily", "queue": "q", "webhook_url": url,
                                                  "headers": headers}),
                               ("/asyncqueue/v1/tasks", {"targetUrl": url, "headers": headers})):
                reply = self.api.post(path, body)
                self.assertEqual(reply.status, 400, f"{path} {name}")
                self.assertIn(name, reply.body.decode())

    def test_bodies_over_the_limit(self):
        for size in (300 * 1024 + 1, 512 * 1024, 512 * 1024 + 1, 3_000_000):
            body = b'{"queue":"' + b"a" * (size - 12) + b'"}'
            for sent in (body, iter([body[:100_000], body[100_000:]])):
                reply = self.client("admin").post("/v1/tasks", sent)
                self.assert_refused(reply, 413, "payload_too_large", "body_too_large", None)

    def test_idempotency_keys(self):
        for key in ("a" * 129, "a,b", "é".encode(), "a\tb"):
            reply = self.api.post("/v1/tasks", TASK, headers={"Idempotency-Key": key})
            self.assert_refused(reply, 400, "invalid_argument", "idempotency_key_invalid", "Idempotency-Key")

    def test_queries(self):
        for query, reason, field in QUERIES:
            with self.subTest(query):
                self.assert_refused(self.api.get(f"/v1/tasks?{query}"), 400, "invalid_argument", reason, field)
        task = "/v1/tasks/task_00000000000000000000000000"
        self.assert_refused(self.api.get(f"{task}?wait=x"), 400, "invalid_argument", "wait_invalid", "wait")

    def test_malformed_ids(self):
        for task_id in ("x", "task_", "task_0", "task_8" + "z" * 25, "task_" + "u" * 26, "task_" + "0" * 26,
                        "a" * 3000, "%27%20OR%201=1", "..%00", "%F0%9F%98%80", "-1"):
            for method, verb in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry")):
                reply = self.api.request(method, f"/v1/tasks/{task_id}{verb}")
                with self.subTest(task_id=task_id, method=method, verb=verb):
                    if "%00" in task_id:
                        self.assertEqual(reply.status, 400)  # nginx's own error
                    else:
                        self.assert_refused(reply, 404, "not_found", "task_not_found", None)
        for number in (0, 2**63, 2**64):  # a TaskMQ id, hence TaskMQ's error
            reply = self.api.get(f"/v1/tasks/{number}")
            self.assertEqual((reply.status, reply.json), (404, {"detail": "Job not found"}))

    def test_methods_that_a_path_does_not_have(self):
        for method, path, allowed in (
                ("PUT", "/v1/tasks", {"GET", "HEAD", "POST"}),
                ("POST", "/v1/tasks/x", {"GET", "HEAD", "PATCH", "DELETE"}),
                ("GET", "/v1/tasks/x/retry", {"POST"}), ("OPTIONS", "/v1/queues/q/purge", {"POST"}),
                ("OPTIONS", "/v1/tasks", {"GET", "HEAD", "POST"}), ("OPTIONS", "/healthz", {"GET", "HEAD"})):
            reply = self.api.request(method, path)
            self.assert_refused(reply, 405, "invalid_argument", "method_not_allowed", None)
            self.assertEqual(set(reply.headers["Allow"].split(", ")), allowed)

    def test_mutilated_requests_never_cause_a_500(self):
        chance = random.Random(1)  # whether a change passes is not a matter of luck
        good = json.dumps({**TASK, "payload": {"a": ["é", 1e5, None]}, "delay": 9, "headers": {"X": "y"},
                           "retry_policy": {"intervals": [1]}, "tags": ["t"]}, ensure_ascii=False).encode()
        for _ in range(300):
            body = bytearray(good)
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(body))
                body[at:at + chance.randint(0, 3)] = chance.choice(
                    (b"", b'"', b"{", b"]", b"\\", b"\\u0000", b"\xff", b"-", b"9" * 30, b",", b"\x00"))
            reply = self.api.post("/v1/tasks", bytes(body))
            self.assertIn(reply.status, (201, 400), bytes(body))
            if reply.status == 201:
                self.assertEqual(self.api.delete(f"/v1/tasks/{reply.json['id']}").status, 204)


if __name__ == "__main__":
    unittest.main()
