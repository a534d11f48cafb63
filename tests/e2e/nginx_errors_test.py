#!/usr/bin/python3
"""nginx/ with the real nginx: the requests that nginx itself refuses, and the errors in the form of each dialect."""

import http.client
import json
import re
import unittest

from harness import Api, Reply
from harness_nginx import NginxTest

# From tests/support, which harness.py has made importable.
import nginx


class ErrorsOfNginx(NginxTest):
    def tls_client(self):
        api = Api(f"https://localhost:{self.tls}", ca=self.certificate)
        self.addCleanup(api.close)
        return api

    def test_unknown_paths(self):
        for path in ("/nothing.html", "/v2/tasks", "/healthz/x", "/healthz%0a", "/v1"):
            self.assertIn(self.api.get(path).status, (301, 404), path)
        self.assert_error(self.api.get("/nothing.html"), 404)
        self.assertEqual(self.api.post("/V1/tasks", b"{}").status, 404)
        self.assertEqual(self.responder.requests, [])

    def test_methods(self):
        for method in ("TRACE", "CONNECT", "PROPFIND", "get"):
            reply = self.api.request(method, "/v1/tasks")
            self.assert_error(reply, 405 if method != "get" else 400)
            self.api.close()
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            self.assertEqual(self.api.request(method, "/v1/tasks").status, 200)
            self.assertIn(method, self.api.request("TRACE", "/v1/tasks").headers["Allow"])
            self.api.close()

    def test_an_encoded_body_is_refused_unread(self):
        for path in ("/v1/tasks", "/v1/tasks/batch", "/v1/queues/q"):
            for encoding in ("gzip", "br", "identity, gzip"):
                reply = self.api.post(path, b"\x1f\x8b\x08", headers={"Content-Encoding": encoding})
                self.assert_error(reply, 415)
                self.assertEqual(reply.headers["Accept-Encoding"], "identity")
        self.assertEqual(self.responder.requests, [])
        self.assertEqual(self.api.post("/v1/tasks", b"{}", headers={"Content-Encoding": "Identity"}).status, 200)

    def test_doubled_slashes_and_bad_encodings(self):
        for path in ("//v1/tasks", "/v1//tasks", "/v1/%2ftasks", "/v1/%00", "/v1/%zz", "/../v1/tasks"):
            self.assert_error(self.api.get(path), 400)
        self.assertEqual(self.responder.requests, [])

    def test_sizes(self):
        too_large = bytes(512 * 1024 + 1)
        self.assert_error(self.api.post("/v1/tasks", too_large), 413)
        self.assert_error(self.client().post("/v1/tasks", iter([too_large])), 413)
        self.assertEqual(self.client().post("/v1/tasks/batch", too_large).status, 200)
        self.assert_error(self.client().post("/v1/tasks/batch", bytes(16 * 1024 * 1024 + 1)), 413)
        self.assert_error(self.client().get("/v1/" + "a" * 11_000), 414)

    def test_a_credential_has_8_kib(self):
        for port in (self.http, self.tls):
            for size, status in ((8192, 200), (11_000, 431)):
                for name in ("Authorization", "X-API-Key"):
                    client = self.client() if port == self.http else self.tls_client()
                    value = "Bearer " * (name == "Authorization") + "a" * size
                    reply = client.get("/v1/tasks", headers={name: value})
                    with self.subTest(port=port, size=size, name=name):
                        self.assertEqual(reply.status, status)
                        if status == 200:
                            parameter = "POSTERN_" + name.removeprefix("X-").upper().replace("-", "_")
                            self.assertIn(value, [asked[parameter] for asked in self.responder.auth_requests])
                        else:
                            self.assert_error(reply, 431)
                            self.assertIn("8192 bytes", reply.json["error"]["message"])
        # Both are in the key of nginx's cache: the second answer comes from it.
        headers = {"Authorization": "Bearer " + self.id() + "b" * 8000, "X-API-Key": "c" * 8192}
        for _ in range(2):
            self.assertEqual(self.client().get("/v1/tasks", headers=headers).status, 200)
        asked = [asked["POSTERN_API_KEY"] for asked in self.responder.auth_requests]
        self.assertEqual(asked.count(headers["X-API-Key"]), 1)
        self.assertEqual(self.client().get("/taskmq/job/1", headers={"X-A": "a" * 11_000}).json,
                         {"detail": "A header is too long. A credential may have 8192 bytes."})

    def test_requests_that_two_servers_could_read_differently(self):
        head = "POST /v1/tasks HTTP/1.1\nHost: a\n"
        for text, status in (
                ("Transfer-Encoding: chunked\nContent-Length: 3\n\n0\n\n", 400),
                ("Content-Length: 3\nContent-Length: 3\n\nabc", 400),
                ("Content-Length: 3\nContent-Length: 4\n\nabcd", 400),
                ("Content-Length: +3\n\nabc", 400),
                ("Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n0\n\n", 400),
                ("Transfer-Encoding: x, chunked\n\n0\n\n", 501),
                ("Transfer-Encoding: chunked\n\nzz\n\n", 400),
                ("Host: b\nContent-Length: 3\n\nabc", 400),
                ("Authorization: a\nAuthorization: b\nContent-Length: 3\n\nabc", 400)):
            with self.subTest(text):
                self.assert_error(self.raw(head + text), status)
        self.assertEqual(self.responder.requests, [])

    def test_each_mount_has_its_own_envelope(self):
        shapes = {
            "/asyncqueue/v1/tasks": lambda body: list(body) == ["error"] and isinstance(body["error"], str),
            "/taskmq/add-job": lambda body: list(body) == ["detail"] and isinstance(body["detail"], str),
            "/add-job": lambda body: list(body) == ["detail"],
            "/asyncjobs/v1/tasks": lambda body: set(body["error"]) == {"code", "message", "details"},
        }
        for path, fits in shapes.items():
            for status, ask in ((413, lambda: self.api.post(path, b"x" * (512 * 1024 + 1))),
                                (405, lambda: self.api.request("TRACE", path))):
                with self.subTest(f"{status} {path}"):
                    reply = ask()
                    self.assertEqual(reply.status, status, reply.body)
                    self.assertTrue(fits(reply.json), reply.body)

    def test_a_mount_is_passed_as_a_parameter_and_removed_from_the_path(self):
        for path, document, dialect, base in (
                ("/v1/tasks", "/v1/tasks", "", ""), ("/asyncqueue/v1/tasks", "/v1/tasks", "asyncqueue", "/asyncqueue"),
                ("/asyncjobs/v1/queues", "/v1/queues", "asyncjobs", "/asyncjobs"),
                ("/taskmq/job/7", "/job/7", "taskmq", "/taskmq"), ("/job/7", "/job/7", "taskmq", ""),
                ("/health", "/health", "taskmq", ""), ("/asyncqueue/healthz", "/healthz", "asyncqueue", "/asyncqueue")):
            self.assertEqual(self.api.get(path).status, 200, path)
            params = self.responder.requests[-1][0]
            self.assertEqual([params[name] for name in ("DOCUMENT_URI", "POSTERN_DIALECT", "POSTERN_BASE_PATH")],
                             [document, dialect, base])
        for path in ("/asyncqueue", "/asyncqueue/add-job", "/x/asyncqueue/v1/tasks", "/job/7/8", "/taskmqx/health"):
            self.assertEqual(self.api.get(path).status, 404, path)

    def test_taskmqs_routes_and_no_others_are_its_own_at_the_root(self):
        source = (nginx.REPO / "fcgi/dialects/taskmq/routes.cpp").read_text()
        routes = [path.replace("{id}", "7") for path in re.findall(r'Route{"\w+", "(.+?)"', source)]
        self.assertGreater(len(routes), 5)
        beside = self.client(self.beside, key=self.id())
        for path in routes:
            with self.subTest(path):
                self.assertEqual(beside.get(f"{path}?a").body, b"from the handler")
                self.assertEqual(self.responder.requests[-1][0]["POSTERN_DIALECT"], "taskmq")
                self.assertEqual(list(self.api.request("TRACE", f"{path}?a").json), ["detail"])
        strangers = {"/healthz", "/readyz", "/job/", "/job/7/8", "/openapixjson", "/monitor"}
        strangers |= {f"{path}{more}" for path in routes if path != "/job/7" for more in ("x", "/x")}
        for path in strangers:
            with self.subTest(path):
                self.assertEqual(beside.get(path).body, b"the site")
                self.assertEqual(list(self.api.request("TRACE", path).json), ["error"])

    def test_metrics_are_for_the_listed_addresses(self):
        self.assertEqual(self.api.get("/metrics").status, 200)
        self.assertEqual(self.api.get("/v1/queues/metrics").status, 200)
        stranger = http.client.HTTPConnection("127.0.0.1", self.http, source_address=("127.0.0.2", 0))
        self.addCleanup(stranger.close)
        for path in ("/metrics", "/x/../metrics", "/metrics?a"):
            stranger.request("GET", path)
            answer = stranger.getresponse()
            self.assert_error(Reply(answer.status, answer.headers, answer.read()), 403)
        stranger.request("GET", "/monitor/metrics")  # TaskMQ's
        answer = stranger.getresponse()
        self.assertEqual((answer.status, json.loads(answer.read())),
                         (403, {"detail": "This is not open to your address."}))

    def test_a_rate_when_switched_on(self):
        limited = self.client(self.limited, key=self.id())
        statuses = [limited.get("/v1/tasks") for _ in range(800)]
        refused = [reply for reply in statuses if reply.status != 200]
        self.assertGreaterEqual(len(statuses) - len(refused), 201)  # the burst
        self.assert_error(refused[0], 429)
        # Each credential has its own share.
        self.assertEqual(self.client(self.limited, key="another").get("/v1/tasks").status, 200)

    def test_a_credential_has_one_rate_in_all_spellings(self):
        spellings = [{"Authorization": f"{scheme}{' ' * spaces}{self.id()}", **more}
                     for spaces in range(1, 100) for scheme in ("Bearer", "bearer", "BEARER")
                     for more in ({}, {"X-API-Key": self.id()})]
        spellings += [{"X-API-Key": self.id()}] * 200
        limited = self.client(self.limited)
        statuses = [limited.get("/v1/tasks", headers=headers).status for headers in spellings]
        self.assertGreaterEqual(statuses.count(200), 201)
        self.assertIn(429, statuses)

    def test_an_address_has_a_rate_whatever_keys_it_tries(self):
        stranger = http.client.HTTPConnection("127.0.0.1", self.limited, source_address=("127.0.0.3", 0))
        self.addCleanup(stranger.close)

        def guess(number):
            stranger.request("GET", "/v1/tasks", headers={"X-API-Key": str(number)})
            answer = stranger.getresponse()
            answer.read()
            return answer.status

        self.assertTrue(any(guess(number) == 429 for number in range(10_000)))
        # Other clients are not delayed.
        self.assertEqual(self.client(self.limited, key=self.id()).get("/v1/tasks").status, 200)

    def test_signals_are_limited_by_address_with_any_credential(self):
        # Other credentials give no share of their own.
        clients = [self.client(key=f"{self.id()}{number}") for number in range(5)]
        for path in ("/v1/signals/t", "/asyncqueue/v1/signals/t"):
            self.assertTrue(any(client.get(path).status == 429 for _ in range(400) for client in clients), path)
        self.assertEqual(self.api.get("/v1/tasks").status, 200)

    def test_no_handler_runs(self):
        self.api.get("/v1/tasks")  # puts its credential into nginx's cache
        self.responder.stop()
        try:
            self.assert_error(self.client(key="unknown").get("/v1/tasks"), 503)
            self.assert_error(self.api.get("/v1/tasks"), 502)
        finally:
            self.responder.start()

    def test_a_handler_that_does_not_answer(self):
        with self.responder.silence():
            self.assert_error(self.client(key="unknown").post("/v1/tasks", b"x"), 503)
        self.api.get("/v1/tasks")
        with self.responder.silence():
            self.assert_error(self.api.post("/v1/tasks", b"x"), 504)

    def test_nginx_logs_no_warning(self):
        log = (self.nginx / "error.log").read_text()
        self.assertEqual([line for line in log.splitlines() if "[warn]" in line or "[alert]" in line], [])


if __name__ == "__main__":
    unittest.main()
