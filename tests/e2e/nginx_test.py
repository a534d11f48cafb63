#!/usr/bin/python3
"""nginx/ with the real nginx: what reaches the handler and the authenticator, and what does not.

Most tests have a recording FastCGI responder in the place of the handler (harness_nginx.py); the last class
has the whole stack.
"""

import re
import signal
import unittest

from harness import Api, StackTest, wait_until
from harness_nginx import NginxTest

# From tests/support, which harness.py has made importable.
import nginx

# All parameters that the handler may get.
PARAMETERS = {
    "REQUEST_METHOD", "DOCUMENT_URI", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR",
    "REQUEST_ID", "POSTERN_AUTH", "POSTERN_SANDBOX", "POSTERN_OPERATOR", "POSTERN_IDEMPOTENCY_KEY", "POSTERN_TRACEPARENT", "POSTERN_BASE_PATH", "POSTERN_MOUNT",
    "POSTERN_DIALECT", "POSTERN_TENANT", "POSTERN_VERDICT", "POSTERN_IDENTITY", "POSTERN_ROLE",
    "POSTERN_KEY_TENANT",
}


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

    def test_no_header_becomes_a_parameter(self):
        names = [name for name in PARAMETERS if not name.startswith("CONTENT")]
        spoofed = {spelling: "spoofed" for name in names + ["POSTERN_SERVICE", "PROXY"]
                   for spelling in (name, name.replace("_", "-"), f"X-{name}", f"HTTP_{name}")}
        self.assertEqual(self.client().get("/v1/tasks", headers=spoofed).status, 200)
        self.assertNotIn("spoofed", self.params().values())
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

    def test_a_mount_point_is_removed(self):
        api = self.client(self.mounted, key=self.id())
        self.assertEqual(api.get("/queue/v1/tasks").status, 200)
        self.assertEqual(self.params()["DOCUMENT_URI"], "/v1/tasks")
        self.assertEqual(self.params()["POSTERN_BASE_PATH"], "/queue")
        self.assertEqual(self.params()["POSTERN_TENANT"], "acme")
        self.assertEqual(api.get("/v1/tasks").body, b"the site")
        self.assert_error(api.get("/queue/nothing"), 404)
        self.responder.requests.clear()
        self.assertEqual(api.get("/queue/asyncjobs/v1/tasks").status, 200)
        self.assertEqual([self.params()[name] for name in ("DOCUMENT_URI", "POSTERN_BASE_PATH", "POSTERN_MOUNT")],
                         ["/v1/tasks", "/queue/asyncjobs", "/asyncjobs"])
        self.assert_error(api.get("/queue/queue/v1/tasks"), 404)


class Authentication(NginxTest):
    def test_the_authenticator_gets_the_credentials_and_no_body(self):
        self.client().post("/v1/tasks", b"the body", headers={
            "Authorization": "Bearer 1", "X-API-Key": self.id()})
        [params] = self.responder.auth_requests
        self.assertEqual(set(params), {"REQUEST_METHOD", "REQUEST_ID", "REMOTE_ADDR", "POSTERN_SERVICE", "POSTERN_ACCESS",
                                       "POSTERN_TENANT", "POSTERN_AUTHORIZATION", "POSTERN_API_KEY"})
        self.assertEqual((params["POSTERN_AUTHORIZATION"], params["POSTERN_API_KEY"]),
                         ("Bearer 1", self.id()))

    def test_answers_are_cached_by_credential_and_tenant(self):
        for _ in range(5):
            self.api.get("/v1/tasks")
        self.assertEqual(len(self.responder.auth_requests), 1)
        self.assertEqual(self.responder.requests[-1][0]["POSTERN_IDENTITY"], "somebody")
        # The same text in the other header, and the same key at another tenant's vhost.
        self.client().get("/v1/tasks", headers={"X-API-Key": f"Bearer {self.id()}"})
        self.client(self.mounted, key=self.id()).get("/queue/v1/tasks")
        self.assertEqual(len(self.responder.auth_requests), 3)

    def test_answers_for_the_longest_credentials_are_cached(self):
        for _ in range(2):
            self.client().get("/v1/tasks", headers={"Authorization": "a" * 8000, "X-API-Key": "b" * 8000})
        self.assertEqual(len(self.responder.auth_requests), 1)

    def test_an_answer_is_cached_only_as_long_as_it_says(self):
        type(self).kept_for = 1
        self.api.get("/v1/tasks")
        type(self).verdict = "invalid"
        wait_until(lambda: self.api.get("/v1/tasks").status == 401)
        self.assertEqual(len(self.responder.auth_requests), 2)
        for _ in range(5):  # a refusal is kept, too
            self.assertEqual(self.api.get("/v1/tasks").status, 401)
        self.assertLessEqual(len(self.responder.auth_requests), 3)

    def test_unavailable_is_never_cached(self):
        type(self).verdict, type(self).kept_for = "unavailable", 0
        for _ in range(3):
            reply = self.api.get("/v1/tasks")
            self.assertEqual((reply.status, reply.json["error"]), (503, {
                "code": "unavailable", "message": "Try again.", "details": {"reason": "authenticator_unavailable"}}))
            self.assertIn("Retry-After", reply.headers)
        self.assertEqual(len(self.responder.auth_requests), 3)
        self.assertEqual(self.api.get("/readyz").status, 200)

    def test_only_nginx_can_read_the_credentials(self):
        self.api.get("/v1/tasks/of-the-log?secret")
        self.assertEqual((self.nginx / "auth").stat().st_mode & 0o777, 0o700)
        access_log = self.nginx / "access.log"
        log = wait_until(lambda: '"path":"/v1/tasks/of-the-log"' in (text := access_log.read_text()) and text)
        self.assertIn('"identity":"somebody"', log)
        self.assertNotIn("secret", log)
        self.assertNotIn(self.id(), log)

    def test_the_internal_locations_cannot_be_requested(self):
        for path in ("/_postern/auth", "/_postern/error"):
            self.assert_error(self.api.get(path), 404)
        self.assertEqual(self.responder.requests, [])


def routes():
    """(method, path, dialect, whether it needs no identity) of every route of the handlers."""
    for source in sorted((nginx.REPO / "fcgi/dialects").glob("*/routes.cpp")):
        for method, path, access in re.findall(r'Route{"(\w+)", "(.+?)", Access::(\w+)', source.read_text()):
            yield method, re.sub("{.+?}", "7", path), source.parent.name, access == "open"


class Refusals(NginxTest):
    """What needs an identity and has none does not reach the handler, and its body is not read."""

    def test_every_route_that_needs_an_identity_is_refused_without_one_and_no_other(self):
        type(self).verdict, type(self).kept_for = "missing", 0
        self.assertGreater(len(list(routes())), 80)
        for method, path, dialect, is_open in routes():
            for mount in {f"/{dialect}", "" if dialect != "taskmq" else "/taskmq"} - {"/native"}:
                with self.subTest(f"{method} {mount}{path}"):
                    self.responder.requests.clear()
                    reply = self.api.request(method, mount + path, b"{}" if method != "GET" else None)
                    self.assertEqual(reply.status, 200 if is_open else 401)
                    self.assertEqual(len(self.responder.requests), is_open)
                    self.assertEqual(self.params()["POSTERN_VERDICT"] if is_open else "", "")

    def test_what_only_looks_open_is_not(self):
        type(self).verdict = "missing"
        for path in ("/v1/queues/a%20/healthz", "/v1/tasks/a%20/readyz", "/v1/signals/", "/v1/tasks/7/complete/x",
                     "/v1/healthz/", "/v1/v1/healthz", "/asyncqueue/v1/healthz", "/asyncjobs/v1/docs", "/v1/tasks/docs",
                     "/v1/queues/redoc", "/v1/tasks/healthz", "/v1/info/metrics"):
            self.assertEqual(self.api.get(path).status, 401, path)
        self.assertEqual(self.responder.requests, [])

    def test_each_mount_has_its_own_form(self):
        own = {
            "/v1/tasks": lambda code, reason, said, _: {
                "error": {"code": code, "message": said, "details": {"reason": reason}}},
            "/asyncqueue/v1/tasks": lambda *told: {"error": told[-1]["asyncqueue"]},
            "/taskmq/add-job": lambda *told: {"detail": told[-1]["taskmq"]},
        }
        own["/asyncjobs/v1/tasks"] = own["/v1/tasks"]
        for verdict, status, code, reason, said, texts in (
                ("missing", 401, "unauthenticated", "credential_missing", 'Give a "key".',
                 {"asyncqueue": "API key required", "taskmq": "Invalid or missing token"}),
                ("invalid", 401, "unauthenticated", "credential_invalid", "It is unknown.",
                 {"asyncqueue": "Invalid or revoked API key", "taskmq": "Invalid or missing token"}),
                ("forbidden", 403, "forbidden", "role_not_allowed", 'The role "read" may not.',
                 {"asyncqueue": "Access denied", "taskmq": "Insufficient permissions"}),
                ("unavailable", 503, "unavailable", "authenticator_unavailable", "Try again.",
                 {"asyncqueue": "Try again.", "taskmq": "Try again."})):
            type(self).verdict = verdict
            for path, form in own.items():
                with self.subTest(f"{verdict} {path}"):
                    reply = self.client(key=f"{self.id()}{verdict}").post(path, b"{}")
                    self.assertEqual((reply.status, reply.json), (status, form(code, reason, said, texts)))
                    self.assertEqual(reply.headers.get_all("WWW-Authenticate"), ["Bearer"] if status == 401 else None)
                    self.assertEqual("Retry-After" in reply.headers, status == 503)
                    self.assertEqual(reply.headers["Cache-Control"], "no-store")
        self.assertEqual(self.responder.requests, [])

    def test_the_answer_comes_before_the_body(self):
        type(self).verdict = "missing"
        head = "POST /v1/tasks/batch HTTP/1.1\nHost: a\nContent-Length: 16000000\n\n"
        self.assertEqual(self.raw(head + "{").status, 401)

    def test_who_one_is_takes_no_body(self):
        type(self).verdict = "missing"
        head = "POST /v1/{} HTTP/1.1\nHost: a\nContent-Length: 500000\n\n{{"
        self.assertEqual(self.raw(head.format("whoami")).status, 413)
        self.assertEqual(self.raw(head.format("queues/x/v1/whoami")).status, 413)

    def test_a_page_of_another_site_changes_nothing(self):
        type(self).kept_for = 0  # the answer for no credential
        def send(site, method="POST", path="/v1/queues/q/purge", **headers):
            body = b"{}" if method == "POST" else None
            return self.client().request(method, path, body, {"Sec-Fetch-Site": site, "Content-Type": "text/plain", **headers})

        for site in ("cross-site", "same-site"):
            for path in ("/v1/queues/q/purge", "/v1/tasks", "/v1/tasks/batch", "/asyncjobs/v1/tasks", "/v1/keys"):
                for headers in ({}, {"Cookie": "session=ann"}, {"Authorization": "Basic YTpi"}):
                    with self.subTest(site=site, path=path, headers=headers):
                        reply = send(site, path=path, **headers)
                        self.assertEqual((reply.status, reply.json["error"]["details"]["reason"]), (403, "cross_site_request"))
            self.assertEqual(send(site, "DELETE", "/v1/queues/q").status, 403)
            self.assertEqual(send(site, path="/taskmq/add-job").json, {"detail": "Insufficient permissions"})
        self.assertEqual((self.responder.requests, self.responder.auth_requests), ([], []))
        # What only looks, what holds a token itself, what a page of its own site does, and what another puts a credential to.
        for reply in (send("cross-site", "GET"), send("cross-site", path="/v1/signals/7"), send("same-origin"), send("none"),
                      send("cross-site", **{"X-API-Key": "a"}), send("same-site", Authorization="Bearer a")):
            self.assertEqual(reply.status, 200)
        self.assertEqual(len(self.responder.requests), 6)

    def test_a_batch_needs_who_may_create(self):
        for path in ("/v1/tasks/batch", "/asyncjobs/v1/tasks/batch"):
            self.api.post(path, b"{}")
            self.assertEqual(self.responder.auth_requests[-1]["POSTERN_ACCESS"], "create")
        self.assertEqual(len(self.responder.auth_requests), 1)
        self.api.post("/v1/tasks", b"{}")
        self.assertEqual(self.responder.auth_requests[-1]["POSTERN_ACCESS"], "")
        self.assertEqual(len(self.responder.auth_requests), 2)


class WithTheHandlers(StackTest):
    """The same with the real handlers."""

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

    def test_the_next_request_restarts_a_killed_handler(self):
        self.stack.programs["fcgi"].stop(signal.SIGKILL)
        self.wait_until(lambda: self.api.get("/v1/tasks").status == 200)


if __name__ == "__main__":
    unittest.main()
