#!/usr/bin/python3
"""nginx/ with the real nginx: what reaches the handler, what never does, and what nginx answers itself.

Most of it is seen best from where the handler sits, so a FastCGI responder that records sits there; the
last class has the whole stack.
"""

import contextlib
import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest
import warnings

from harness import Api, Reply, StackTest, wait_until
from harness_fcgi import Responder

# From tests/support, which harness.py has made importable.
import nginx
from process import Process
from stack import free_ports, make_certificate

OTHER_SERVERS = """
    server {{
        listen 127.0.0.1:{mounted};
        set $postern_base /queue;
        set $postern_tenant acme;
        include postern/server.conf;
        location ^~ /queue/ {{ include postern/location.conf; }}
        location / {{ return 200 "the site"; }}
    }}
    server {{
        listen 127.0.0.1:{limited};
        set $postern_rate_limit on;
        include postern/site.conf;
    }}
    server {{
        listen 127.0.0.1:{beside};
        include postern/server.conf;
        include postern/taskmq-root.conf;
        location / {{ return 200 "the site"; }}
    }}
"""

# Everything the handler may ever see.
PARAMETERS = {
    "REQUEST_METHOD", "DOCUMENT_URI", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR",
    "REQUEST_ID", "POSTERN_AUTH", "POSTERN_SANDBOX", "POSTERN_IDEMPOTENCY_KEY", "POSTERN_TRACEPARENT", "POSTERN_BASE_PATH",
    "POSTERN_DIALECT", "POSTERN_TENANT", "POSTERN_VERDICT", "POSTERN_IDENTITY", "POSTERN_ROLE",
    "POSTERN_KEY_TENANT",
}

# Code and reason of each answer that nginx gives itself.
ERRORS = {
    400: ("invalid_argument", "bad_request"),
    403: ("forbidden", "address_not_allowed"),
    404: ("not_found", "no_such_path"),
    405: ("invalid_argument", "method_not_allowed"),
    413: ("payload_too_large", "body_too_large"),
    414: ("invalid_argument", "uri_too_long"),
    429: ("rate_limited", "too_many_requests"),
    501: ("invalid_argument", "transfer_encoding_unknown"),
    502: ("unavailable", "handler_unreachable"),
    503: ("unavailable", "handler_unavailable"),
    504: ("unavailable", "handler_timeout"),
}


class NginxTest(unittest.TestCase):
    """nginx in front of a responder, and a client whose key is new to it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.http, cls.tls, cls.mounted, cls.limited, cls.beside = free_ports(5)
        cls.certificate, key = make_certificate(cls.folder)
        servers, places = nginx.ready_vhost(cls.http, cls.tls, cls.certificate, key)
        servers += OTHER_SERVERS.format(mounted=cls.mounted, limited=cls.limited, beside=cls.beside)
        places.update({
            "127.0.0.0/8 1;": "127.0.0.1 1;",  # so that 127.0.0.2 may not read the metrics
            "fastcgi_read_timeout 40s;": "fastcgi_read_timeout 1s;",
            "fastcgi_read_timeout 3s;": "fastcgi_read_timeout 1s;",
            "rate=1000r/s": "rate=1r/s",  # so that the burst of an address is soon used up
        })
        cls.responder = Responder(str(cls.folder / "fcgi.sock"), lambda *request: cls.answer(*request))
        cls.addClassCleanup(cls.responder.stop)
        cls.nginx = cls.folder / "nginx"
        command = nginx.command(cls.nginx, cls.folder / "fcgi.sock", servers, places)
        process = Process(cls.folder / "nginx.pid", cls.nginx)
        process.spawn(command, cwd=cls.nginx, stdin=subprocess.DEVNULL)
        cls.addClassCleanup(process.stop, signal.SIGTERM)
        with socket.socket() as probe:
            wait_until(lambda: probe.connect_ex(("127.0.0.1", cls.limited)) == 0)

    def setUp(self):
        cls = type(self)
        cls.verdict, cls.kept_for, cls.replies = "ok", 5, {}
        self.responder.requests.clear()
        self.responder.auth_requests.clear()
        self.api = self.client(key=self.id())

    @classmethod
    def answer(cls, params, _body):
        if params.get("POSTERN_SERVICE") == "auth":
            return (f"Status: 204\r\nX-Accel-Expires: {cls.kept_for}\r\nPostern-Verdict: {cls.verdict}\r\n"
                    "Postern-Identity: somebody\r\nPostern-Role: admin\r\nPostern-Tenant: theirs\r\n\r\n")
        return cls.replies.get(params["DOCUMENT_URI"], "Status: 200\r\n\r\nfrom the handler")

    def client(self, port=None, **options):
        api = Api(f"http://127.0.0.1:{port or self.http}", **options)
        self.addCleanup(api.close)
        return api

    def params(self):
        """What the handler got with the only request that reached it."""
        [(params, _)] = self.responder.requests
        return params

    def raw(self, text):
        """The reply to bytes that no decent client sends."""
        with socket.create_connection(("127.0.0.1", self.http), timeout=10) as connection:
            connection.sendall(text.replace("\n", "\r\n").encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return Reply(answer.status, answer.headers, answer.read())

    def assert_error(self, reply, status):
        code, reason = ERRORS[status]
        self.assertEqual(reply.status, status)
        self.assertEqual(reply.headers["Content-Type"], "application/json; charset=utf-8")
        error = reply.json["error"]
        self.assertEqual((error["code"], error["details"]), (code, {"reason": reason}))
        self.assertTrue(error["message"])
        self.assertEqual("Retry-After" in reply.headers, status in (429, 502, 503, 504))
        self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")


class WhatTheHandlerSees(NginxTest):
    def test_the_listed_parameters_and_nothing_else(self):
        self.api.post("/v1/tasks?a=%20b", b"the body", headers={
            "Idempotency-Key": "once", "Traceparent": "00-1-2-01", "Content-Type": "text/x"})
        [(params, body)] = self.responder.requests
        self.assertEqual(body, b"the body")
        self.assertEqual(set(params), PARAMETERS)
        del params["REQUEST_ID"]
        self.assertEqual({name: value for name, value in params.items() if value}, {
            "REQUEST_METHOD": "POST", "DOCUMENT_URI": "/v1/tasks", "QUERY_STRING": "a=%20b",
            "CONTENT_TYPE": "text/x", "CONTENT_LENGTH": "8", "REMOTE_ADDR": "127.0.0.1",
            "POSTERN_IDEMPOTENCY_KEY": "once", "POSTERN_TRACEPARENT": "00-1-2-01",
            "POSTERN_VERDICT": "ok", "POSTERN_IDENTITY": "somebody", "POSTERN_ROLE": "admin",
            "POSTERN_KEY_TENANT": "theirs"})

    def test_no_header_poses_as_a_parameter(self):
        type(self).verdict = "missing"
        names = [name for name in PARAMETERS if not name.startswith("CONTENT")]
        spoofed = {spelling: "spoofed" for name in names + ["POSTERN_SERVICE", "PROXY"]
                   for spelling in (name, name.replace("_", "-"), f"X-{name}", f"HTTP_{name}")}
        self.assertEqual(self.client().get("/v1/tasks", headers=spoofed).status, 200)
        self.assertNotIn("spoofed", self.params().values())
        self.assertEqual(self.params()["POSTERN_VERDICT"], "missing")
        self.assertNotIn("spoofed", self.responder.auth_requests[0].values())

    def test_a_chunked_body_arrives_whole_with_its_length(self):
        self.api.post("/v1/tasks", iter([b"x", b"y" * 100_000]))
        [(params, body)] = self.responder.requests
        self.assertEqual((params["CONTENT_LENGTH"], len(body)), ("100001", 100_001))

    def test_one_normalised_path(self):
        for path in ("/v1/tasks/a", "/x/../v1/./tasks/a", "/v1%2ftasks/%61", "/%76%31/tasks/a"):
            self.responder.requests.clear()
            self.api.get(path)
            self.assertEqual(self.params()["DOCUMENT_URI"], "/v1/tasks/a", path)

    def test_answers_pass_unchanged_whatever_their_status(self):
        for status in (201, 400, 401, 404, 413, 429, 500, 503):
            self.replies["/v1/tasks"] = f"Status: {status}\r\nRetry-After: 77\r\n\r\nmine"
            reply = self.api.get("/v1/tasks")
            self.assertEqual((reply.status, reply.headers.get_all("Retry-After"), reply.body),
                             (status, ["77"], b"mine"))

    def test_a_mount_point_is_taken_off(self):
        api = self.client(self.mounted, key=self.id())
        self.assertEqual(api.get("/queue/v1/tasks").status, 200)
        self.assertEqual(self.params()["DOCUMENT_URI"], "/v1/tasks")
        self.assertEqual(self.params()["POSTERN_BASE_PATH"], "/queue")
        self.assertEqual(self.params()["POSTERN_TENANT"], "acme")
        self.assertEqual(api.get("/v1/tasks").body, b"the site")
        self.assert_error(api.get("/queue/nothing"), 404)
        self.assert_error(api.get("/queue/queue/v1/tasks"), 404)


class Authentication(NginxTest):
    def test_the_authenticator_gets_the_credentials_and_no_body(self):
        self.client().post("/v1/tasks", b"the body", headers={
            "Authorization": "Bearer 1", "X-API-Key": self.id()})
        [params] = self.responder.auth_requests
        self.assertEqual(set(params), {"REQUEST_METHOD", "REQUEST_ID", "REMOTE_ADDR", "POSTERN_SERVICE",
                                       "POSTERN_TENANT", "POSTERN_AUTHORIZATION", "POSTERN_API_KEY"})
        self.assertEqual((params["POSTERN_AUTHORIZATION"], params["POSTERN_API_KEY"]),
                         ("Bearer 1", self.id()))

    def test_is_asked_once_for_each_credential_and_tenant(self):
        for _ in range(5):
            self.api.get("/v1/tasks")
        self.assertEqual(len(self.responder.auth_requests), 1)
        self.assertEqual(self.responder.requests[-1][0]["POSTERN_IDENTITY"], "somebody")
        # The same text in the other header, and the same key at another tenant's vhost.
        self.client().get("/v1/tasks", headers={"X-API-Key": f"Bearer {self.id()}"})
        self.client(self.mounted, key=self.id()).get("/queue/v1/tasks")
        self.assertEqual(len(self.responder.auth_requests), 3)

    def test_the_longest_credentials_are_kept_too(self):
        for _ in range(2):
            self.client().get("/v1/tasks", headers={"Authorization": "a" * 8000, "X-API-Key": "b" * 8000})
        self.assertEqual(len(self.responder.auth_requests), 1)

    def test_an_answer_is_kept_only_as_long_as_it_says(self):
        type(self).kept_for = 1
        self.api.get("/v1/tasks")
        type(self).verdict = "invalid"
        wait_until(lambda: self.api.get("/v1/tasks") and len(self.responder.auth_requests) == 2)
        self.assertEqual(self.responder.requests[-1][0]["POSTERN_VERDICT"], "invalid")

    def test_unavailable_is_never_kept(self):
        type(self).verdict, type(self).kept_for = "unavailable", 0
        for _ in range(3):
            self.api.get("/v1/tasks")
        self.assertEqual(len(self.responder.auth_requests), 3)

    def test_credentials_are_for_nginx_alone(self):
        self.api.get("/v1/tasks?secret")
        self.assertEqual((self.nginx / "auth").stat().st_mode & 0o777, 0o700)
        log = wait_until((self.nginx / "access.log").read_text)
        self.assertIn('"path":"/v1/tasks"', log)
        self.assertIn('"identity":"somebody"', log)
        self.assertNotIn("secret", log)
        self.assertNotIn(self.id(), log)

    def test_nobody_reaches_the_internal_locations(self):
        for path in ("/_postern/auth", "/_postern/error"):
            self.assert_error(self.api.get(path), 404)
        self.assertEqual(self.responder.requests, [])


class ErrorsOfNginx(NginxTest):
    def test_unknown_paths(self):
        for path in ("/", "/nothing.html", "/v2/tasks", "/healthz/x", "/healthz%0a", "/v1"):
            self.assertIn(self.api.get(path).status, (301, 404), path)
        self.assert_error(self.api.get("/nothing.html"), 404)
        self.assertEqual(self.responder.requests, [])

    def test_methods(self):
        for method in ("TRACE", "CONNECT", "OPTIONS", "PROPFIND", "get"):
            reply = self.api.request(method, "/v1/tasks")
            self.assert_error(reply, 405 if method != "get" else 400)
            self.api.close()
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            self.assertEqual(self.api.request(method, "/v1/tasks").status, 200)
            self.assertIn(method, self.api.request("OPTIONS", "/v1/tasks").headers["Allow"])

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
        self.assert_error(self.client().get("/v1/" + "a" * 9000), 414)
        self.assert_error(self.client().get("/v1/tasks", headers={"X-A": "a" * 9000}), 400)

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

    def test_a_mount_is_told_to_the_handler_and_taken_off_the_path(self):
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

    def test_a_credential_has_one_rate_however_it_is_spelled(self):
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
        # Others are not kept waiting.
        self.assertEqual(self.client(self.limited, key=self.id()).get("/v1/tasks").status, 200)

    def test_signals_are_limited_by_address_whatever_they_carry(self):
        # Other credentials give no share of their own.
        clients = [self.client(key=f"{self.id()}{number}") for number in range(5)]
        for path in ("/v1/signals/t", "/asyncqueue/v1/signals/t"):
            self.assertTrue(any(client.get(path).status == 429 for _ in range(400) for client in clients), path)
        self.assertEqual(self.api.get("/v1/tasks").status, 200)

    def test_no_handler(self):
        self.api.get("/v1/tasks")  # its credential is known from here on
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

    def test_nginx_has_nothing_to_warn_about(self):
        log = (self.nginx / "error.log").read_text()
        self.assertEqual([line for line in log.splitlines() if "[warn]" in line or "[alert]" in line], [])


class Tls(NginxTest):
    def connect(self, name, version=None):
        trust = ssl.create_default_context(cafile=self.certificate)
        if version:
            trust.set_ciphers("ALL:@SECLEVEL=0")  # or our own side would refuse the old ones
            with warnings.catch_warnings(action="ignore"):
                trust.minimum_version = trust.maximum_version = version
        with contextlib.ExitStack() as undo:
            plain = undo.enter_context(socket.create_connection(("127.0.0.1", self.tls), timeout=10))
            connection = trust.wrap_socket(plain, server_hostname=name)
            undo.pop_all()
        return connection

    def test_https_with_hsts(self):
        api = Api(f"https://localhost:{self.tls}", self.id(), self.certificate)
        self.addCleanup(api.close)
        for path, status in (("/v1/tasks", 200), ("/nothing", 404)):
            reply = api.get(path)
            self.assertEqual(reply.status, status)
            self.assertEqual(reply.headers["Strict-Transport-Security"], "max-age=31536000")
            self.assertEqual(reply.headers["Cache-Control"], "no-store")
        self.assertNotIn("Strict-Transport-Security", self.api.get("/v1/tasks").headers)

    def test_http_2(self):
        said = subprocess.run(
            ["curl", "-sS", "--http2", "--cacert", self.certificate, "-w", " %{http_version} %{http_code}",
             "-d", "abc", f"https://localhost:{self.tls}/v1/tasks"], capture_output=True, text=True)
        self.assertEqual(said.stdout, "from the handler 2 200", said.stderr)

    def test_old_versions_are_refused(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with self.assertRaisesRegex(ssl.SSLError, "ALERT_PROTOCOL_VERSION"):
                self.connect("localhost", version)

    def test_another_name_gets_nothing(self):
        with self.assertRaisesRegex(ssl.SSLError, "UNRECOGNIZED_NAME"):
            self.connect("elsewhere.example")
        with self.connect("localhost") as connection:
            connection.sendall(b"GET /v1/tasks HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")
            self.assertEqual(connection.recv(1), b"")

    def test_plain_http_at_the_tls_port(self):
        self.assert_error(self.client(self.tls).get("/v1/tasks"), 400)


class WithTheHandlers(StackTest):
    """The same doors with the real thing behind them."""

    def test_without_a_key_and_with_a_wrong_one(self):
        for key, status in ((None, 401), ("postern_wrong", 401), (self.api.key, 200)):
            api = Api(self.stack.url, key)
            self.addCleanup(api.close)
            reply = api.get("/v1/tasks", headers={"Postern-Verdict": "ok", "POSTERN_VERDICT": "ok",
                                                  "X-Postern-Role": "admin"})
            self.assertEqual(reply.status, status)
            if status == 401:
                self.assertEqual(reply.json["error"]["code"], "unauthenticated")
                self.assertIn("Bearer", reply.headers["WWW-Authenticate"])

    def test_open_paths(self):
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.client().get(path).status, 200, path)

    def test_https(self):
        api = self.client("read", self.stack.tls_url)
        self.assertEqual(api.get("/v1/tasks").status, 200)

    def test_a_handler_that_is_killed_is_back_with_the_next_request(self):
        self.stack.programs["fcgi"].stop(signal.SIGKILL)
        self.wait_until(lambda: self.api.get("/v1/tasks").status == 200)


if __name__ == "__main__":
    unittest.main()
