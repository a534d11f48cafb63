#!/usr/bin/python3
"""JSON Web Tokens as credentials on every mount, and the settings of their secrets."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from harness import BIN, StackTest


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(secret, header=None, **claims):
    """A token signed with `secret`, valid for an hour unless the claims say otherwise."""
    claims = {"sub": "someone", "exp": int(time.time()) + 3600, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    text = b".".join(encode(json.dumps(part).encode())
                     for part in (header or {"alg": "HS256", "typ": "JWT"}, claims))
    return (text + b"." + encode(hmac.digest(secret.encode(), text, hashlib.sha256))).decode()


class Tokens(StackTest):
    settings = {"TASKMQ_JWT_SECRET": "TaskMQ's own, of 32 bytes at least"}
    of_file = ["the file's first, of 32 bytes or more", "the file's second, for a rotation's time"]

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        file = pathlib.Path(folder.name) / "secrets"
        file.write_text("\n".join(cls.of_file) + "\n")
        cls.settings = {**cls.settings, "POSTERN_JWT_SECRET_FILE": str(file)}
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.secret = self.stack.state["jwt_secret"]
        self.client_of = self.client()

    def ask(self, method, path, body=None, **claims):
        headers = {"Authorization": f"Bearer {token(self.secret, **claims)}"}
        return self.client_of.request(method, path, body, headers)

    def test_an_admin_may_do_everything_and_a_worker_retry(self):
        job = {"payload": {}, "handler": "nobody",
               "scheduled_for": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}
        added = self.ask("POST", "/add-job", job, role="admin")
        self.assertEqual(added.status, 200, added.body)
        job_id = added.json["job_id"]
        self.assertEqual(self.ask("GET", f"/job/{job_id}", role="worker").status, 200)
        for path, body in (("/add-job", job), ("/cancel", {"job_id": job_id})):
            refused = self.ask("POST", path, body, role="worker")
            self.assertEqual((refused.status, refused.json),
                             (403, {"detail": "Insufficient permissions"}))
        self.assertEqual(self.ask("POST", "/cancel", {"job_id": job_id}, role="admin").status, 200)
        self.assertEqual(self.ask("POST", "/retry", {"job_id": job_id}, role="worker").status, 200)

    def test_a_token_is_accepted_on_every_mount(self):
        for path in ("/v1/tasks", "/asyncqueue/v1/tasks", "/asyncjobs/v1/queues"):
            self.assertEqual(self.ask("GET", path, role="read").status, 200, path)

    def test_secrets_of_every_source_are_accepted(self):
        for secret in (self.secret, self.settings["TASKMQ_JWT_SECRET"], *self.of_file):
            headers = {"Authorization": f"Bearer {token(secret, role='read')}"}
            self.assertEqual(self.client_of.get("/v1/tasks", headers=headers).status, 200, secret)

    def test_a_bad_token_is_refused_on_every_mount(self):
        good = token(self.secret, role="admin")
        none = token(self.secret, {"alg": "none"}, role="admin")
        for bad in (token("x" * 40, role="admin"), none, none[:none.rindex(".") + 1],
                    token(self.secret, {"alg": "HS512"}, role="admin"),
                    token(self.secret, role="admin", exp=int(time.time()) - 61),
                    token(self.secret, role="admin", nbf=int(time.time()) + 120),
                    token(self.secret, role="admin", exp=None), good[:-2]):
            for path, said in (("/taskmq/job/1", {"detail": "Invalid or missing token"}),
                               ("/asyncqueue/v1/tasks", {"error": "Invalid or revoked API key"})):
                reply = self.client_of.get(path, headers={"Authorization": f"Bearer {bad}"})
                self.assertEqual((reply.status, reply.json), (401, said), bad)
                self.assertEqual(reply.headers["WWW-Authenticate"], "Bearer")

    def test_a_token_without_a_role_has_no_permission(self):
        for claims in ({}, {"role": "root"}):
            self.assertEqual(self.ask("GET", "/v1/tasks", **claims).status, 403)

    def test_a_claim_that_is_empty_or_no_text_is_refused(self):
        for claims in ({"role": ["admin"]}, {"sub": 7}, {"tenant": 42}, {"tenant": ["acme"]}, {"tenant": ""}):
            self.assertEqual(self.ask("GET", "/v1/tasks", **({"role": "admin"} | claims)).status, 401, claims)

    def test_a_token_gives_access_to_its_tenant_only(self):
        self.create(queue="of-default")
        reply = self.ask("GET", "/v1/tasks?queue=of-default", role="read", tenant="another")
        self.assertEqual((reply.status, reply.json["tasks"]), (200, []))


class Secrets(unittest.TestCase):
    """The checks that the handlers make of their secrets at start."""

    def start(self, **environment):
        environment = {**os.environ, "POSTERN_DATABASE": "host=/nowhere", **environment}
        return subprocess.run([BIN / "postern-fcgi"], env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=20)

    def test_a_short_one_is_refused_by_name(self):
        for variable in ("POSTERN_JWT_SECRET", "TASKMQ_JWT_SECRET"):
            done = self.start(**{variable: "your-secret-key"})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(variable, done.stdout + done.stderr)
            self.assertNotIn("your-secret-key", done.stdout + done.stderr)

    def test_the_file_must_exist_and_its_secrets_be_long_enough(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "secrets"
            done = self.start(POSTERN_JWT_SECRET_FILE=str(file))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(str(file), done.stdout + done.stderr)
            file.write_text("x" * 32 + "\nshort\n")
            done = self.start(POSTERN_JWT_SECRET_FILE=str(file))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("5 bytes", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
